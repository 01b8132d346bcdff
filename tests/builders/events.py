"""Events of the gateway."""

from typing import Any

from msgspec.structs import replace

from llmring_core.gateway.events import CallEvent
from tests.builders.kernel import NOON

REFUSED = CallEvent(
    at=NOON,
    request_id="r-0",
    method="POST",
    path="/v1/chat/completions",
    status=401,
    duration_ns=1_234_567,
    response_headers=((b"content-type", b"application/json"),),
)


def an_event(**changes: Any) -> CallEvent:
    """Return the event of a refused call, with ``changes``."""
    return replace(REFUSED, **changes)


def events(count: int, **changes: Any) -> list[CallEvent]:
    """Return so many, named ``r-0``, ``r-1``, ..."""
    return [an_event(request_id=f"r-{number}", **changes) for number in range(count)]
