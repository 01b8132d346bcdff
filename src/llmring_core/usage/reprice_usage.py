"""Repricing a project's calls."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from msgspec import Struct

from llmring_core.clock import Clock
from llmring_core.idempotency import AlreadyAnswered, Attempt
from llmring_core.ids import NewId, ProjectId, UsageId
from llmring_core.registry import CurrentRegistry
from llmring_core.transactions import Begin
from llmring_core.usage.commands import Selection
from llmring_core.usage.model import UsageRecord
from llmring_core.usage.ports import Entry, UsageIntake, UsageWork
from llmring_core.usage.recording import answers_of, logged_of
from llmring_core.usage.repricing import Repricing, adjustment, is_repriceable, repricing_of
from llmring_core.usage.use_cases import pages_of


class RepricedPage(Struct, frozen=True, kw_only=True):
    """Some of the calls that were looked at, and those of them whose price has changed."""

    looked_at: int  # records
    changes: list[Repricing]


@dataclass(frozen=True, slots=True)
class RepriceUsage:
    """Append a correction for each call that the registry in force prices differently by now.

    Doing it again appends nothing: a call with its corrections then costs what the registry says.
    Of two that run at once, one appends the correction that follows a given record.
    """

    read: Begin[UsageWork]
    intake: UsageIntake
    registry: CurrentRegistry
    clock: Clock
    new_id: NewId

    async def __call__(
        self, project: ProjectId, selection: Selection, *, dry_run: bool = False
    ) -> AsyncGenerator[RepricedPage, None]:
        """Yield page by page what changes, newest calls first; ``dry_run`` appends nothing.

        Raises: TotalsOverflow, Overloaded, StoreUnavailable.
        """
        async with aclosing(pages_of(self.read, project, selection)) as pages:
            async for records in pages:
                changes = await self._changes(project, records)
                if not dry_run:
                    changes = await self._appended(project, changes)
                yield RepricedPage(looked_at=len(records), changes=changes)

    async def _changes(self, project: ProjectId, records: Sequence[UsageRecord]) -> list[Repricing]:
        calls = [record for record in records if is_repriceable(record)]
        made: dict[UsageId | None, list[UsageRecord]] = {}
        async with self.read() as work:
            for one in await work.usage.adjustments(project, [call.id for call in calls]):
                made.setdefault(one.adjusts, []).append(one)
        quoted = ((call, self.registry.quote(call.provider, call.model)) for call in calls)
        found = (repricing_of(call, made.get(call.id, ()), quote) for call, quote in quoted)
        return [change for change in found if change is not None]

    async def _appended(self, project: ProjectId, changes: Sequence[Repricing]) -> list[Repricing]:
        """Append the corrections, and return the changes that nobody else made meanwhile."""
        entries = [self._entry(project, change) for change in changes]
        refusals = await self.intake.take_all(entries)
        for refusal in refusals:
            if refusal is not None and not isinstance(refusal, AlreadyAnswered):
                raise refusal
        return [
            change for change, refusal in zip(changes, refusals, strict=True) if refusal is None
        ]

    def _entry(self, project: ProjectId, change: Repricing) -> Entry:
        now = self.clock()
        record = adjustment(change, id=UsageId(self.new_id()), at=now)
        digest = change.quote.registry_digest
        attempt = Attempt(scope="usage.reprice", key=change.follows, fingerprint=digest)
        answers = answers_of(project, [attempt], logged_of(record), now)
        return Entry(record=record, answers=answers, taken_at=now)
