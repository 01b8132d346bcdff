"""The outermost layer: what holds for every request and every answer, whoever gives it."""

import logging
import re
from collections.abc import Iterable
from time import perf_counter
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from llmring_core.ids import NewId
from llmring_http.measures import UNKNOWN, RequestMeasures, known
from llmring_http.requests import headers_of, limited

CALLS = "/v1/"  # to be forwarded, where there is a gateway
OURS = re.compile(r"[A-Za-z0-9._-]{1,64}")
# On every answer, whoever asks: a cache must not hand one origin's answer to another's page.
VARY = b"Accept-Encoding, Origin"
EVERY_ANSWER = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"vary", VARY),
]
MAX_NAME = 255  # characters of a model, as of all that is stored
NOT_STORED = (b"cache-control", b"no-store")
NO_CONTENT_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")

log = logging.getLogger("llmring.access")


def framed(
    app: ASGIApp,
    new_id: NewId,
    max_body_bytes: int,
    measures: RequestMeasures,
    access_log: bool = False,
    max_call_bytes: int | None = None,
) -> ASGIApp:
    """Give every request an id and every answer its headers, answer HEAD wherever GET is, and
    count it all.

    Calls to be forwarded may be larger: ``max_call_bytes``.
    """

    async def frame(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        began = perf_counter()
        status = 0  # no answer
        method = str(scope["method"])
        headers = headers_of(scope)
        sent_id = headers.get(b"x-request-id")
        request_id = sent_id if sent_id and OURS.fullmatch(sent_id) else new_id()
        scope.setdefault("state", {})["request_id"] = request_id
        head = method == "HEAD"
        if head:
            # A copy: the server reads its own scope to know that HEAD is answered without a body.
            scope = scope.copy()
            scope["method"] = "GET"  # Litestar answers 405 to HEAD

        async def send_framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _headers(message["headers"], request_id)
            elif head and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        try:
            is_call = max_call_bytes is not None and scope["path"].startswith(CALLS)
            max_bytes = max_call_bytes if is_call and max_call_bytes else max_body_bytes
            await app(scope, limited(receive, headers, max_bytes), send_framed)
        finally:
            seconds = perf_counter() - began
            route = str(scope.get("path_template") or UNKNOWN)
            measures.add(method, route, status, seconds)
            if access_log:
                _log(method, route, status, seconds, scope["state"])

    return frame


def _log(method: str, route: str, status: int, seconds: float, state: dict[str, Any]) -> None:
    """Log a request by its route: what a caller writes into a path or query may be a secret."""
    model = state.get("model")
    facts = {
        "method": known(method),
        "route": route,
        "status": status,
        "duration_ms": round(seconds * 1000, 3),
        "request_id": state["request_id"],
        "project": state.get("project"),
        "token_id": state.get("token_id"),  # this and what follows: of calls to be forwarded
        "provider": state.get("provider"),
        "model": model and str(model)[:MAX_NAME],
    }
    log.info("request", extra=facts)


def _headers(given: Iterable[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    headers = [(b"x-request-id", request_id.encode()), *EVERY_ANSWER]
    open_to_caches = has_policy = False
    for pair in given:
        name = pair[0].lower()
        if name == b"vary":
            continue
        headers.append(pair)
        open_to_caches = open_to_caches or name == b"cache-control"
        has_policy = has_policy or name == b"content-security-policy"
    if not open_to_caches:
        headers.append(NOT_STORED)
    if not has_policy:
        headers.append(NO_CONTENT_POLICY)
    return headers
