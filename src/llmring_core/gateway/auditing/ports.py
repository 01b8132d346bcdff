"""What the audit log needs from the outside."""

from datetime import datetime
from typing import Protocol

from llmring_core.gateway.auditing.model import (
    Action,
    AuditEvent,
    AuditPage,
    AuditSelection,
    PageNumber,
)
from llmring_core.ids import AuditEventId


class AuditBook(Protocol):
    """What happened. Nothing here is ever changed or deleted."""

    async def append(self, event: AuditEvent) -> None:
        """Keep ``event``."""

    async def find(self, id: AuditEventId) -> AuditEvent | None:
        """Return the event with this id."""

    async def page(self, wanted: AuditSelection, number: PageNumber) -> AuditPage:
        """Return that page of the events that are meant, newest first, and how many there are."""


class AuditWork(Protocol):
    """The store that a transaction writes its own account into."""

    @property
    def audit(self) -> AuditBook: ...


class DenialBound(Protocol):
    """How many denials are written down: whoever has no credentials must not fill the disk."""

    def admits(self, action: Action, at: datetime) -> bool:
        """Tell whether one more, at ``at`` (UTC), is to be written down; else it is counted."""

    def leave_out(self, count: int) -> None:
        """Count ``count`` more that are not written down."""

    def left_out(self) -> int:
        """Return how many were not written down, and begin anew."""
