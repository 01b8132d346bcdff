"""Ways into the ledger: each entry in a transaction of its own, or many in one."""

from asyncio import create_task, shield
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from llmring_adapters.group_commit import GroupCommit
from llmring_core.errors import LLMRingError
from llmring_core.transactions import Begin
from llmring_core.usage import Entry, UsageIntake, UsageWork

WriteEntries: TypeAlias = Callable[[Sequence[Entry]], Awaitable[list[None]]]
GroupIntake: TypeAlias = GroupCommit[Entry, None]


def in_one_transaction(begin: Begin[UsageWork]) -> WriteEntries:
    """Write entries through the stores of ``begin``: all of them or none."""

    async def write(entries: Sequence[Entry]) -> list[None]:
        answers = [answer for entry in entries for answer in entry.answers]
        async with begin() as work:
            await work.answers.add(answers, entries[0].taken_at)
            await work.usage.append([entry.record for entry in entries])
        return [None] * len(entries)

    return write


class DirectIntake(UsageIntake):
    """Commits each entry by itself."""

    def __init__(self, write: WriteEntries) -> None:
        self._write = write

    async def take(self, entry: Entry) -> None:
        await shield(create_task(self._writing(entry)))

    async def _writing(self, entry: Entry) -> None:
        await self._write([entry])

    async def take_all(self, entries: Sequence[Entry]) -> list[LLMRingError | None]:
        return [await self._refusal(entry) for entry in entries]

    async def _refusal(self, entry: Entry) -> LLMRingError | None:
        try:
            await self._write([entry])
        except LLMRingError as error:
            return error
        return None
