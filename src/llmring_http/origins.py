"""Where a request comes from, as the audit log is told."""

from typing import Final, cast

from litestar.types import HTTPScope, Scope

from llmring_core.gateway.auditing import Actor, Origin
from llmring_http.requests import headers_of

ACTION: Final = "action"  # the option of a route handler that says what a request there is for


def origin_in(scope: Scope, actor: Actor, path: str) -> Origin:
    """Return it. The address is the peer's: what a proxy says of its callers is not believed."""
    headers, peer = headers_of(scope), scope["client"]
    return Origin(
        actor=actor,
        request_id=cast(str, scope["state"]["request_id"]),
        correlation_id=headers.get(b"x-correlation-id"),
        client_ip=peer[0] if peer else None,
        method=cast(HTTPScope, scope)["method"],
        path=path,
        user_agent=headers.get(b"user-agent"),
    )
