"""What no handler ever sees: ambiguous addresses, encoded bodies, more requests than can be held.

The server in front has checked the framing of HTTP itself; see llmring_app/protocol.py.
"""

import re
from typing import ClassVar, cast

from litestar import Request
from litestar.datastructures.state import State
from litestar.enums import ScopeType
from litestar.exceptions import ClientException, NotFoundException
from litestar.status_codes import HTTP_415_UNSUPPORTED_MEDIA_TYPE
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from llmring_core.errors import Unavailable
from llmring_http.health.routes import PROBES
from llmring_http.problems import problem_of
from llmring_http.requests import headers_of

# No dot segments, no backslash, nothing encoded that separates segments or cannot be seen. Empty
# segments pass: published clients make them, and the router takes them for one slash.
AMBIGUOUS = re.compile(rb"\\|%2f|%5c|%[01][0-9a-f]|%7f|/(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)


class Busy(Unavailable):
    """This server answers as many requests as it can right now; repeat yours in a moment."""

    code: ClassVar[str] = "busy"


class EncodedBody(ClientException):
    """The body is compressed; send it as it is."""

    status_code = HTTP_415_UNSUPPORTED_MEDIA_TYPE


def guarded(app: ASGIApp, max_in_flight: int) -> ASGIApp:
    """Refuse what is ambiguous, and what comes while ``max_in_flight`` requests are under way."""
    in_flight = 0

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal in_flight
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        refusal = _refusal(scope)
        if refusal is None and in_flight >= max_in_flight and scope["path"] not in PROBES:
            refusal = Busy("this server is answering all the requests it can; repeat yours shortly")
        if refusal is not None:
            request: Request[None, None, State] = Request(scope, receive, send)
            answer = problem_of(request, refusal).to_asgi_response(request=request, app=None)
            await answer(scope, receive, send)
            return
        in_flight += 1
        try:
            await app(scope, receive, send)
        finally:
            in_flight -= 1

    return guard


def _refusal(scope: Scope) -> Exception | None:
    path = cast(HTTPScope, scope).get("raw_path") or scope["path"].encode()
    if AMBIGUOUS.search(path) or "\ufffd" in scope["path"]:  # the latter: no UTF-8
        return NotFoundException()
    encoding = headers_of(scope).get(b"content-encoding")
    if encoding and encoding.lower() != "identity":
        return EncodedBody()
    return None
