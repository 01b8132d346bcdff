"""Ports: which attempts have begun and are not in the ledger yet."""

from datetime import datetime
from typing import Protocol

from msgspec import Struct

from llmring_core.ids import ProjectId, TokenId, UsageId


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


class AttemptJournal(Protocol):
    """Knows which attempts have begun and are not in the ledger yet, also after a crash."""

    async def start(self, attempt: StartedAttempt) -> None:
        """Return once it is committed. Raises Overloaded, StoreUnavailable."""

    def end(self, attempt: UsageId) -> None:
        """Forget it, soon: its record is committed, or nobody was asked. Never waits."""
