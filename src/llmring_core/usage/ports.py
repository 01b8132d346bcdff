"""What the usage context needs from the outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from llmring_core.errors import LLMRingError
from llmring_core.idempotency import Answer, AnswerName, IdempotencyWork
from llmring_core.ids import ProjectId, UsageId
from llmring_core.usage.commands import Selection
from llmring_core.usage.model import Totals, UsageRecord
from llmring_core.usage.periods import Day


class Position(Struct, frozen=True, kw_only=True):
    """Where a record stands in the ledger's order: by time, then by id."""

    at: datetime  # UTC
    id: UsageId


class UsageLedger(Protocol):
    """Append-only store of usage records, and their totals by quarter of an hour."""

    async def append(self, records: Sequence[UsageRecord]) -> None:
        """Store ``records`` and add them to their totals.

        Raises DuplicateUsage when an id is taken, TotalsOverflow.
        """

    async def find(self, project: ProjectId, id: UsageId) -> UsageRecord | None:
        """Return the project's record with this id."""

    async def newest(
        self,
        project: ProjectId,
        selection: Selection,
        limit: int,
        offset: int = 0,
        before: Position | None = None,
    ) -> list[UsageRecord]:
        """Return the selected records, newest first, after skipping ``offset`` of them.

        With ``before`` only those that come after that position in this order.
        """

    async def adjustments(self, project: ProjectId, ids: Sequence[UsageId]) -> list[UsageRecord]:
        """Return the corrections of those of the project's records, oldest first."""

    async def totals(self, project: ProjectId, selection: Selection, days: Sequence[Day]) -> Totals:
        """Return the selected calls' totals.

        ``days`` cover the selection's period. The effort does not grow with the calls stored.
        """


class Entry(Struct, frozen=True, kw_only=True):
    """What one logged call writes, all or nothing."""

    record: UsageRecord
    answers: tuple[Answer, ...]  # to be the first ones
    taken_at: datetime  # UTC, this server's clock

    @property
    def names(self) -> list[AnswerName]:
        return [answer.name for answer in self.answers]


class UsageIntake(Protocol):
    """The way into the ledger. Entries that come together may be committed together."""

    async def take(self, entry: Entry) -> None:
        """Write ``entry``, and return once it is committed.

        Whoever stops waiting does not stop the write. Raises AlreadyAnswered, TotalsOverflow,
        Overloaded, StoreUnavailable; other entries are not affected.
        """

    async def take_all(self, entries: Sequence[Entry]) -> list[LLMRingError | None]:
        """Write each of ``entries`` by itself, and return why it was refused, in their order.

        Raises Overloaded when there is no room for all of them.
        """


class UsageWork(IdempotencyWork, Protocol):
    """The stores one usage transaction may touch."""

    @property
    def usage(self) -> UsageLedger: ...
