"""The management API: the audit log. Reading it is an event, too."""

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from llmring_core.errors import InvalidField
from llmring_core.gateway.auditing import (
    AuditEventNotFound,
    FindAuditEvent,
    ListAuditEvents,
    Origin,
)
from llmring_core.ids import AuditEventId
from llmring_http.decoding import public_query_parameters
from llmring_http.management.access import READ
from llmring_http.management.audit_wire import AuditEventBody, AuditPageBody, AuditQuery
from llmring_http.management.problems import documented
from llmring_http.origins import ACTION
from llmring_http.problems import Unprocessable


class AuditController(Controller):
    path = "/audit"
    tags = ["management"]

    @get(
        "/",
        opt={ACTION: "audit.list"},
        responses=documented(*READ, Unprocessable, InvalidField),
        **public_query_parameters(AuditQuery),
    )
    async def page(
        self,
        params: NamedDependency[AuditQuery],
        origin: NamedDependency[Origin],
        list_audit_events: NamedDependency[ListAuditEvents],
    ) -> AuditPageBody:
        """Return a page of the audit log, newest first; ``events`` is null when there are none."""
        found = await list_audit_events(params.selection(), params.number(), origin)
        return AuditPageBody.of(found, params.number())

    @get("/{id:str}", opt={ACTION: "audit.show"}, responses=documented(*READ, AuditEventNotFound))
    async def fetch(
        self,
        id: FromPath[str],
        origin: NamedDependency[Origin],
        find_audit_event: NamedDependency[FindAuditEvent],
    ) -> AuditEventBody:
        """Return one event of the audit log."""
        return AuditEventBody.of(await find_audit_event(AuditEventId(id), origin))
