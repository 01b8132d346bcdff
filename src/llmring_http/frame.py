"""The outermost layer: what holds for every request and every answer, whoever gives it."""

import re
from collections.abc import Iterable

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from llmring_core.ids import NewId
from llmring_http.requests import limited

OURS = re.compile(rb"[A-Za-z0-9._-]{1,64}")
# On every answer, whoever asks: a cache must not hand one origin's answer to another's page.
VARY = b"Accept-Encoding, Origin"
EVERY_ANSWER = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"vary", VARY),
]
NOT_STORED = (b"cache-control", b"no-store")
NO_CONTENT_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")


def framed(app: ASGIApp, new_id: NewId, max_body_bytes: int) -> ASGIApp:
    """Give every request an id and every answer its headers, and answer HEAD wherever GET is."""

    async def frame(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        request_id = _request_id(scope, new_id)
        head = scope["method"] == "HEAD"
        # A copy: the server reads its own scope to know that HEAD is answered without a body.
        inner = scope.copy()
        inner["state"] = {**scope.get("state", {}), "request_id": request_id}
        if head:
            inner["method"] = "GET"  # Litestar answers 405 to HEAD

        async def send_framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _headers(message["headers"], request_id)
            elif head and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        await app(inner, limited(receive, scope["headers"], max_body_bytes), send_framed)

    return frame


def _request_id(scope: Scope, new_id: NewId) -> str:
    """Return the caller's id for this request when it is one we would log, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and OURS.fullmatch(value):
            return value.decode()
    return new_id()


def _headers(given: Iterable[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    headers = [pair for pair in given if pair[0].lower() != b"vary"]
    names = {name.lower() for name, _ in headers}
    headers.append((b"x-request-id", request_id.encode()))
    headers.extend(EVERY_ANSWER)
    headers.extend(pair for pair in (NOT_STORED, NO_CONTENT_POLICY) if pair[0] not in names)
    return headers
