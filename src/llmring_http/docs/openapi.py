"""The OpenAPI document: what the framework finds out, corrected where it knows less than we do."""

from http import HTTPStatus
from typing import Any, get_args

from litestar.openapi.spec import OpenAPI
from msgspec import Struct, UnsetType, json
from msgspec.structs import fields

from llmring_http.decoding import any_json
from llmring_http.health.routes import Alive, Health, Root
from llmring_http.management.audit_wire import AuditEventBody, AuditPageBody
from llmring_http.management.document import describe_management
from llmring_http.management.problems import ManagementProblem
from llmring_http.management.wire import IssuedBody, ProjectBody, RevokedBody, TokenBody
from llmring_http.problems import Problem
from llmring_http.receipts.certification_wire import (
    CertifiedPage,
    Generated,
    Preview,
    UncertifiedPage,
)
from llmring_http.receipts.document import describe
from llmring_http.receipts.wire import Kept, KeyBody, KeyList, ReceiptPage, VerdictBody
from llmring_http.registry.changelog import ChangelogBody
from llmring_http.registry.wire import Manifest, MirroredFile, RegistryBody
from llmring_http.usage.bulk import BatchAnswer
from llmring_http.usage.ingest import log_operation
from llmring_http.usage.ingest_many import bulk_operations
from llmring_http.usage.stats import Stats
from llmring_http.usage.wire import LogAnswer, LogRow

BODIES = (
    Root,
    Health,
    Alive,
    BatchAnswer,
    LogAnswer,
    LogRow,
    Stats,
    RegistryBody,
    Manifest,
    MirroredFile,
    ChangelogBody,
    Kept,
    ReceiptPage,
    VerdictBody,
    KeyBody,
    KeyList,
    Generated,
    Preview,
    UncertifiedPage,
    CertifiedPage,
    ProjectBody,
    TokenBody,
    IssuedBody,
    RevokedBody,
    AuditEventBody,
    AuditPageBody,
    ManagementProblem,
    Problem,
)
ANYWHERE_WITHOUT_BODY = (400, 404, 408, 414, 415, 431, 503)  # the guard, before any route is known
ANYWHERE = (*ANYWHERE_WITHOUT_BODY, 413)
PROBLEM_ANSWER = {
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
}
FILES = ("text/csv", "application/x-ndjson")
THEIRS = "application/json"  # the media type of the framework's own errors, which we never send


def described(schema: OpenAPI) -> dict[str, Any]:
    """Return the document of everything the application answers."""
    document = schema.to_schema()
    document["paths"]["/api/v1/log"] = {"post": log_operation()}
    document["paths"] |= bulk_operations()
    document["paths"] = dict(sorted(document["paths"].items()))
    _, bodies = json.schema_components(
        BODIES, schema_hook=any_json, ref_template="#/components/schemas/{name}"
    )
    for body in BODIES:
        _let_out(body, bodies[body.__name__])
    document["components"]["schemas"] |= bodies  # the framework's say "one of" and mean "any of"
    logs = document["paths"]["/api/v1/logs"]["get"]["responses"]["200"]
    logs["content"] |= {media: {"schema": {"type": "string"}} for media in FILES}
    logs["headers"] = {"X-Next-Cursor": {"schema": {"type": "string"}}}
    describe(document["paths"])
    for operations in document["paths"].values():
        for operation in operations.values():
            if _is_theirs(operation["responses"].get("400", {})):
                del operation["responses"]["400"]
    describe_management(document["paths"])
    for operations in document["paths"].values():
        for operation in operations.values():
            for status in ANYWHERE if "requestBody" in operation else ANYWHERE_WITHOUT_BODY:
                operation["responses"].setdefault(
                    str(status), PROBLEM_ANSWER | {"description": HTTPStatus(status).phrase}
                )
    return document


def _let_out(body: type[Struct], schema: dict[str, Any]) -> None:
    """Take members that may be left out from those that are required: msgspec counts them all."""
    optional = {one.encode_name for one in fields(body) if UnsetType in get_args(one.type)}
    if optional:
        schema["required"] = [name for name in schema["required"] if name not in optional]


def _is_theirs(answer: dict[str, Any]) -> bool:
    """Tell whether the framework made this answer up: ours refer to a schema of their own."""
    content = answer.get("content", {}).get(THEIRS)
    return content is not None and "$ref" not in content["schema"]
