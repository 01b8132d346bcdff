"""``POST /api/v1/log/batch`` and ``POST /api/v1/logs/import``."""

from collections.abc import Callable
from typing import cast

from litestar import asgi
from litestar.exceptions import MethodNotAllowedException
from litestar.handlers import ASGIRouteHandler
from litestar.types import HTTPScope, Receive, Scope, Send
from msgspec import Struct

from llmring_core.accounts import Authenticate
from llmring_core.usage import LogBatch
from llmring_http.callers import SECURITY, caller_in
from llmring_http.decoding import schema_of
from llmring_http.problems import documented
from llmring_http.requests import headers_of, identity_of, read_body
from llmring_http.usage.bulk import (
    MAX_IMPORTED,
    MAX_LOGGED,
    BatchAnswer,
    Decoded,
    ImportLine,
    decoded_batch,
    decoded_import,
)
from llmring_http.usage.ingest import ERRORS, JSON, REPLAYED, encoder
from llmring_http.usage.wire import LogBody

BATCH_PATH = "/api/v1/log/batch"
IMPORT_PATH = "/api/v1/logs/import"


def bulk_routes(
    authenticate: Authenticate, log_batch: LogBatch, trust_identity_headers: bool
) -> list[ASGIRouteHandler]:
    """Return the routes that log many calls, and answer once they are committed."""

    def route(path: str, decoded: Callable[[bytes, str | None], Decoded]) -> ASGIRouteHandler:
        @asgi(path, copy_scope=False)
        async def log_many(scope: Scope, receive: Receive, send: Send) -> None:
            if cast(HTTPScope, scope)["method"] != "POST":
                raise MethodNotAllowedException(headers={"Allow": "OPTIONS, POST"})
            headers = headers_of(scope)
            caller = await caller_in(headers, authenticate, trust_identity_headers)
            scope["state"]["project"] = caller.project
            identity = identity_of(headers, scope)
            batch, rejected = decoded(await read_body(receive), headers.get(b"content-type"))
            outcome = await log_batch(caller.project, batch, identity.key, identity.request_id)
            body = encoder.encode(BatchAnswer.of(outcome.value, rejected))
            head = [JSON, (b"content-length", b"%d" % len(body))]
            if outcome.replayed:
                head.append(REPLAYED)
            await send({"type": "http.response.start", "status": 200, "headers": head})
            await send({"type": "http.response.body", "body": body, "more_body": False})

        return log_many

    return [route(BATCH_PATH, decoded_batch), route(IMPORT_PATH, decoded_import)]


def bulk_operations() -> dict[str, dict[str, object]]:
    """Return the routes' entries in the OpenAPI document, by path."""
    batch = (
        "Log up to 500 calls. Each is stored or rejected by itself; a repeated `client_log_id` "
        "counts as a duplicate and gets its first result."
    )
    past = (
        "Log up to 1,000 calls of the past, each at its `logged_at`. Importing the same again "
        "stores nothing twice."
    )
    return {
        BATCH_PATH: {"post": _operation("LogBatch", batch, LogBody, MAX_LOGGED)},
        IMPORT_PATH: {"post": _operation("ImportLogs", past, ImportLine, MAX_IMPORTED)},
    }


def _operation(name: str, text: str, line: type[Struct], most: int) -> dict[str, object]:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    errors = {
        str(status): {"description": found.description, "content": problem}
        for status, found in documented(*ERRORS).items()
    }
    answer = {"application/json": {"schema": {"$ref": "#/components/schemas/BatchAnswer"}}}
    logs = {"type": "array", "minItems": 1, "maxItems": most, "items": schema_of(line)}
    body = {"type": "object", "required": ["logs"], "properties": {"logs": logs}}
    key = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
    return {
        "tags": ["usage"],
        "summary": name,
        "description": text,
        "operationId": f"ApiV1{name}",
        "parameters": [key],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"200": {"description": "What became of each.", "content": answer}, **errors},
        "security": SECURITY,
    }
