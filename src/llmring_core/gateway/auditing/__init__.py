"""The gateway's audit log: who did what, who was refused, and who looked."""

from llmring_core.gateway.auditing.errors import AuditEventNotFound
from llmring_core.gateway.auditing.model import (
    EXACT,
    MAX_LINE,
    MAX_PAGE,
    MAX_SEARCH,
    PAGE_SIZE,
    PAGE_SIZE_MAX,
    PROXY_REQUEST,
    SEARCHED,
    Action,
    Actor,
    AuditEvent,
    AuditPage,
    AuditSelection,
    Deed,
    Origin,
    Outcome,
    PageNumber,
)
from llmring_core.gateway.auditing.ports import AuditBook, AuditWork, DenialBound
from llmring_core.gateway.auditing.reading import FindAuditEvent, ListAuditEvents
from llmring_core.gateway.auditing.recording import (
    Record,
    RecordAlone,
    RecordLeftOut,
    RecordRefusal,
)
from llmring_core.gateway.auditing.texts import folded

__all__ = [
    "EXACT",
    "MAX_LINE",
    "MAX_PAGE",
    "MAX_SEARCH",
    "PAGE_SIZE",
    "PAGE_SIZE_MAX",
    "PROXY_REQUEST",
    "SEARCHED",
    "Action",
    "Actor",
    "AuditBook",
    "AuditEvent",
    "AuditEventNotFound",
    "AuditPage",
    "AuditSelection",
    "AuditWork",
    "Deed",
    "DenialBound",
    "FindAuditEvent",
    "ListAuditEvents",
    "Origin",
    "Outcome",
    "PageNumber",
    "Record",
    "RecordAlone",
    "RecordLeftOut",
    "RecordRefusal",
    "folded",
]
