"""``POST /api/v1/log``, one rung below the framework's handlers.

It is what every client does for every call. As a controller method with its dependencies it cost
several times as much as everything the core does for it; see docs/benchmarks.md.
"""

from collections.abc import Callable
from typing import Any

from litestar import asgi
from litestar.datastructures import Headers
from litestar.exceptions import MethodNotAllowedException
from litestar.handlers import ASGIRouteHandler
from litestar.types import HTTPScope, Receive, Scope, Send
from msgspec.json import Encoder

from llmring_core.accounts import Authenticate
from llmring_core.usage import LogUsage
from llmring_http.callers import caller_in
from llmring_http.decoding import decode_body
from llmring_http.requests import identity_in, read_body
from llmring_http.usage.wire import LogAnswer, LogBody

JSON = (b"content-type", b"application/json")
REPLAYED = (b"idempotency-replayed", b"true")

encoder = Encoder()


def log_route(
    authenticate: Authenticate, log_usage: LogUsage, trust_identity_headers: bool
) -> ASGIRouteHandler:
    """Return the route that logs one call and answers once it is committed."""

    @asgi("/api/v1/log")
    async def log(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            raise MethodNotAllowedException(headers={"Allow": "POST"})
        headers = Headers.from_scope(scope)
        caller = await caller_in(headers, authenticate, trust_identity_headers)
        identity = identity_in(headers, scope)
        payload = decode_body(await read_body(receive), headers.get("content-type"), LogBody)
        logged = await log_usage(
            caller.project, payload.command(), identity.key, identity.request_id
        )
        body = encoder.encode(LogAnswer.of(logged.value))
        head = [JSON, (b"content-length", b"%d" % len(body))]
        if logged.replayed:
            head.append(REPLAYED)
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return log
