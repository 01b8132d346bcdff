"""``POST /api/v1/log``, one rung below the framework's handlers.

It is what every client does for every call. As a controller method with its dependencies it cost
several times as much as everything the core does for it; see docs/benchmarks.md.
"""

from typing import cast

from litestar import Request
from litestar.datastructures.state import State
from litestar.enums import ScopeType
from litestar.exceptions import MethodNotAllowedException
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send
from msgspec.json import Encoder

from llmring_core.accounts import Authenticate, InvalidApiKey
from llmring_core.errors import InvalidField, Overloaded, StoreUnavailable
from llmring_core.idempotency import AlreadyAnswered, KeyReused
from llmring_core.usage import LogUsage, TotalsOverflow
from llmring_http.callers import SECURITY, MissingCredentials, caller_in
from llmring_http.decoding import decode_body, schema_of
from llmring_http.problems import BadRequest, Unprocessable, documented, problem_of
from llmring_http.requests import headers_of, identity_of, read_body
from llmring_http.usage.wire import LogAnswer, LogBody

PATH = "/api/v1/log"
JSON = (b"content-type", b"application/json")
REPLAYED = (b"idempotency-replayed", b"true")

ERRORS = (
    BadRequest,
    InvalidApiKey,
    MissingCredentials,
    AlreadyAnswered,
    Unprocessable,
    InvalidField,
    KeyReused,
    TotalsOverflow,
    Overloaded,
    StoreUnavailable,
)

encoder = Encoder()


def log_app(
    authenticate: Authenticate, log_usage: LogUsage, trust_identity_headers: bool
) -> ASGIApp:
    """Return what logs one call and answers once it is committed; it raises every error."""

    async def log(scope: Scope, receive: Receive, send: Send) -> None:
        if cast(HTTPScope, scope)["method"] != "POST":
            raise MethodNotAllowedException(headers={"Allow": "OPTIONS, POST"})
        headers = headers_of(scope)
        caller = await caller_in(headers, authenticate, trust_identity_headers)
        scope["state"]["project"] = caller.project
        identity = identity_of(headers, scope)
        payload = decode_body(await read_body(receive), headers.get(b"content-type"), LogBody)
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


def shortened(app: ASGIApp, log: ASGIApp) -> ASGIApp:
    """Hand calls to be logged straight to ``log``, everything else to ``app``.

    Pages of other origins go the long way: the framework knows what CORS wants.
    """

    async def shorten(scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_short(scope):
            await app(scope, receive, send)
            return
        scope["path_template"] = PATH
        try:
            await log(scope, receive, send)
        except Exception as error:
            request: Request[None, None, State] = Request(scope, receive, send)
            answer = problem_of(request, error).to_asgi_response(request=request, app=None)
            await answer(scope, receive, send)

    return shorten


def _is_short(scope: Scope) -> bool:
    return (
        scope["type"] == ScopeType.HTTP  # and no start or stop of the server
        and scope["path"] == PATH
        and scope["method"] == "POST"
        and not any(name == b"origin" for name, _ in scope["headers"])
    )


def log_operation() -> dict[str, object]:
    """Return the route's entry in the OpenAPI document; the framework describes none of these."""
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    errors = {
        str(status): {"description": found.description, "content": problem}
        for status, found in documented(*ERRORS).items()
    }
    answer = {"application/json": {"schema": {"$ref": "#/components/schemas/LogAnswer"}}}
    body = {"application/json": {"schema": schema_of(LogBody)}}
    key = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
    return {
        "tags": ["usage"],
        "summary": "Log",
        "description": "Log one call; without `cost` the registry's price applies. "
        "Answered once it is committed.",
        "operationId": "ApiV1LogLog",
        "parameters": [key],
        "requestBody": {"required": True, "content": body},
        "responses": {"200": {"description": "Stored.", "content": answer}, **errors},
        "security": SECURITY,
    }
