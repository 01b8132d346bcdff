"""Reading the audit log, which it says itself."""

from dataclasses import dataclass

from llmring_core.gateway.auditing.errors import AuditEventNotFound
from llmring_core.gateway.auditing.model import (
    AuditEvent,
    AuditPage,
    AuditSelection,
    Deed,
    Origin,
    PageNumber,
)
from llmring_core.gateway.auditing.ports import AuditWork
from llmring_core.gateway.auditing.recording import RecordAlone
from llmring_core.ids import AuditEventId
from llmring_core.transactions import Begin


@dataclass(frozen=True, slots=True)
class ListAuditEvents:
    """Read a page of the events that are meant, newest first."""

    begin: Begin[AuditWork]
    record: RecordAlone

    async def __call__(
        self, wanted: AuditSelection, number: PageNumber, origin: Origin
    ) -> AuditPage:
        """The event that tells of this very reading is not among them."""
        async with self.begin() as work:
            found = await work.audit.page(wanted, number)
        details = {
            "events_count": len(found.events),
            "page": number.page,
            "page_size": number.size,
            "total_count": found.total,
        }
        await self.record(Deed(action="audit.list", details=details), origin)
        return found


@dataclass(frozen=True, slots=True)
class FindAuditEvent:
    """Read one event."""

    begin: Begin[AuditWork]
    record: RecordAlone

    async def __call__(self, id: AuditEventId, origin: Origin) -> AuditEvent:
        """Raises AuditEventNotFound."""
        async with self.begin() as work:
            found = await work.audit.find(id)
        if found is None:
            raise AuditEventNotFound
        deed = Deed(action="audit.show", details={"audit_event_id": found.id})
        await self.record(deed, origin)
        return found
