"""What can go wrong in reading the audit log."""

from typing import ClassVar

from llmring_core.errors import NotFound


class AuditEventNotFound(NotFound):
    """The audit log has no event with this id."""

    code: ClassVar[str] = "gateway.audit-event-not-found"

    def __init__(self) -> None:
        super().__init__("audit event not found")
