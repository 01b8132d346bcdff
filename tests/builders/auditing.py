"""Events of the audit log, and where deeds come from."""

from typing import Any

from msgspec.structs import replace

from llmring_core.clock import Clock
from llmring_core.gateway.auditing import AuditEvent, Origin, Record
from llmring_core.ids import AuditEventId, TokenId
from tests.builders.kernel import NOON, P1, ids

ORIGIN = Origin(
    actor="management_api",
    request_id="r-1",
    correlation_id="c-1",
    client_ip="192.0.2.1",
    method="POST",
    path="/manage/tokens",
    user_agent="Grüße/1.0",
)
EVENT = AuditEvent(
    id=AuditEventId("01990000-0000-7000-8000-0000000000e1"),
    happened_at=NOON,
    action="token.create",
    actor="management_api",
    outcome="failure",
    reason="project not found",
    project=P1,
    token=TokenId("01990000-0000-7000-8000-000000000001"),
    request_id="r-1",
    correlation_id="c-1",
    client_ip="192.0.2.1",
    method="POST",
    path="/manage/tokens",
    user_agent="Grüße/1.0",
    metadata='{"project_name":"Größe 100%"}',
)


def event(number: int, **changes: Any) -> AuditEvent:
    """Return the event of that number, with nothing in it that may be missing."""
    given = {"action", "actor", "outcome", "happened_at"}
    empty = dict.fromkeys(set(EVENT.__struct_fields__) - given)
    id = AuditEventId(f"01990000-0000-7000-8000-{number:012x}")
    return replace(EVENT, **(empty | {"id": id} | changes))


def recording(clock: Clock) -> Record:
    return Record(clock, ids(0xE))
