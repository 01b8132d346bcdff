"""Writing attempts down together, and forgetting them beside the calls."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from llmring_adapters.group_commit import GroupCommit, Write
from llmring_core.gateway.journal import (
    AttemptJournal,
    AttemptWork,
    EndedAttempts,
    StartedAttempt,
    WriteLines,
)
from llmring_core.gateway.lost_attempts import RenewLeases
from llmring_core.ids import UsageId
from llmring_core.transactions import Begin

Line: TypeAlias = StartedAttempt | EndedAttempts
Close: TypeAlias = Callable[[], Awaitable[None]] | None

MAX_ENDED: Final = 100_000  # ids kept while the store is away; those beyond are found as lapsed
AT_ONCE: Final = 1_000  # ids forgotten in one transaction


class SharedLines(WriteLines):
    """Writes through the stores of ``begin``."""

    def __init__(self, begin: Begin[AttemptWork]) -> None:
        self._begin = begin

    async def __call__(
        self, started: Sequence[StartedAttempt], lapses_at: datetime, ended: Sequence[UsageId]
    ) -> None:
        async with self._begin() as work:
            await work.attempts.add(started, lapses_at)
            await work.attempts.remove(ended)


class BufferedJournal(AttemptJournal):
    """Starts are committed in groups; what ended waits in memory for ``flush``.

    Both go the same way, in order: nothing is forgotten before it has been written down.
    """

    def __init__(self, write: Write[Line, None], renew: RenewLeases, close: Close = None) -> None:
        self._lines = GroupCommit[Line, None](write, close)
        self._renew = renew
        self._starting = set[UsageId]()
        self._open = set[UsageId]()
        self._ended: dict[UsageId, None] = {}  # in order

    @property
    def open(self) -> int:
        """How many attempts of this process are under way."""
        return len(self._open)

    async def start(self, attempt: StartedAttempt) -> None:
        self._starting.add(attempt.id)
        try:
            await self._lines.take(attempt)
        except BaseException:  # also who does not wait any more: it may be committed all the same
            self.end(attempt.id)
            raise
        if attempt.id in self._starting:  # nobody ended it meanwhile
            self._starting.remove(attempt.id)
            self._open.add(attempt.id)

    def end(self, attempt: UsageId) -> None:
        self._starting.discard(attempt)
        self._open.discard(attempt)
        self._ended[attempt] = None
        if len(self._ended) > MAX_ENDED:
            del self._ended[next(iter(self._ended))]

    def give_up(self, attempt: UsageId) -> None:
        self._open.discard(attempt)

    async def flush(self) -> None:
        """Forget what ended. Raises Unavailable; then that is left for the next time."""
        for ids in _batches(tuple(self._ended)):
            await self._lines.take(EndedAttempts(ids=ids))
            for id in ids:
                self._ended.pop(id, None)

    async def renew(self) -> None:
        """Renew the leases of what is under way. Raises StoreUnavailable."""
        for ids in _batches(tuple(self._open)):
            self._open -= set(ids) - await self._renew(ids)

    async def close(self) -> None:
        """Forget what ended, at last. Raises Unavailable."""
        try:
            await self.flush()
        finally:
            await self._lines.close()


def _batches(ids: Sequence[UsageId]) -> Iterator[tuple[UsageId, ...]]:
    return (tuple(ids[start : start + AT_ONCE]) for start in range(0, len(ids), AT_ONCE))
