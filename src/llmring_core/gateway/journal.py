"""Ports: which attempts have begun and are not in the ledger yet, also after a crash."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from msgspec import Struct

from llmring_core.gateway.ports import GatewayWork
from llmring_core.ids import ProjectId, TokenId, UsageId
from llmring_core.usage import UsageWork

# A server renews what it has under way; what is not renewed for so long was lost in a crash.
LEASE: Final = timedelta(seconds=60)


class StartedAttempt(Struct, frozen=True, kw_only=True):
    """A provider is about to be asked."""

    id: UsageId  # the record's, later
    project: ProjectId
    token: TokenId
    provider: str
    endpoint: str
    model: str | None
    request_id: str
    started_at: datetime  # UTC

    @property
    def names(self) -> tuple[()]:
        """Nothing: no two attempts are the same one."""
        return ()


class EndedAttempts(Struct, frozen=True, kw_only=True):
    """Attempts to be forgotten."""

    ids: tuple[UsageId, ...]

    @property
    def names(self) -> tuple[()]:
        return ()


class AttemptJournal(Protocol):
    """Knows which attempts have begun and are not in the ledger yet, also after a crash."""

    async def start(self, attempt: StartedAttempt) -> None:
        """Return once it is committed; what does not return is forgotten.

        Raises Overloaded, StoreUnavailable.
        """

    def end(self, attempt: UsageId) -> None:
        """Forget it, soon: its record is committed, or nobody was asked. Never waits."""

    def give_up(self, attempt: UsageId) -> None:
        """Leave it to whoever closes lost attempts: what is left to do for it cannot be done."""


class WriteLines(Protocol):
    """Writes into the journal what happened to attempts."""

    async def __call__(
        self, started: Sequence[StartedAttempt], lapses_at: datetime, ended: Sequence[UsageId]
    ) -> None:
        """Keep what started with a lease until ``lapses_at`` (UTC), then forget what ended.

        All of it or nothing. Raises StoreUnavailable.
        """


class AttemptBook(Protocol):
    """Attempts that are written down, each with a lease."""

    async def add(self, attempts: Sequence[StartedAttempt], lapses_at: datetime) -> None:
        """Keep ``attempts`` with a lease until ``lapses_at`` (UTC)."""

    async def remove(self, attempts: Sequence[UsageId]) -> None:
        """Forget those of ``attempts`` that are kept."""

    async def renew(self, attempts: Sequence[UsageId], lapses_at: datetime) -> set[UsageId]:
        """Give a new lease to those that are kept and not in the ledger, and return them."""

    async def take_lapsed(self, at: datetime) -> StartedAttempt | None:
        """Forget one whose lease ran out at ``at`` (UTC) or earlier, and return it.

        Never one that another transaction is taking.
        """


class AttemptWork(GatewayWork, UsageWork, Protocol):
    """The stores that may be touched where attempts are written down and closed."""

    @property
    def attempts(self) -> AttemptBook: ...
