"""The OpenAPI document: what the framework finds out, corrected where it knows less than we do."""

from typing import Any

from litestar.openapi.spec import OpenAPI
from msgspec import json

from llmring_http.decoding import any_json
from llmring_http.health.routes import Alive, Health, Root
from llmring_http.problems import Problem
from llmring_http.usage.bulk import BatchAnswer
from llmring_http.usage.ingest import log_operation
from llmring_http.usage.ingest_many import bulk_operations
from llmring_http.usage.stats import Stats
from llmring_http.usage.wire import LogAnswer, LogRow

BODIES = (Root, Health, Alive, BatchAnswer, LogAnswer, LogRow, Stats, Problem)
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
    for name, body in bodies.items():
        members = document["components"]["schemas"].setdefault(name, body)["properties"]
        for member, ours in body["properties"].items():
            members[member] = members[member] or ours  # empty: a number we write digit by digit
    for operations in document["paths"].values():
        for operation in operations.values():
            if THEIRS in operation["responses"].get("400", {}).get("content", {}):
                del operation["responses"]["400"]
    return document
