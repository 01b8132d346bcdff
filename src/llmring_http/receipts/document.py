"""What the OpenAPI document says of bodies that pass through as text."""

from typing import Any

from llmring_http.decoding import schema_of
from llmring_http.receipts.answers import LINES
from llmring_http.receipts.certification_wire import GenerateBody, SelectorBody
from llmring_http.receipts.signing_wire import FlatBody
from llmring_http.receipts.statements import JSON, PeriodBody
from llmring_http.receipts.wire import CallBody, SignedBody

OBJECT = {"schema": {"type": "object"}}
TEXT = {"schema": {"type": "string"}}
BYTES = {"schema": {"type": "string", "format": "binary"}}
PLAIN = "text/plain"
RAW = {
    "/api/v1/receipts/{id}": {JSON: OBJECT},
    "/api/v1/receipts/{id}/proof": {PLAIN: TEXT},
    "/api/v1/receipts/export": {LINES: TEXT},
    "/api/v1/receipts/statements/{id}": {JSON: OBJECT},
    "/api/v1/receipts/statements/{id}/receipts": {LINES: TEXT},
    "/api/v1/receipts/statements/{id}/proof": {PLAIN: TEXT},
    "/receipts/public-key.pem": {"application/x-pem-file": TEXT},
    "/api/v1/receipts/public-key.pem": {"application/x-pem-file": TEXT},
    "/log/checkpoint": {PLAIN: TEXT},
    "/log/public-key": {PLAIN: TEXT},
    "/log/tile/{level}/{path}": {"application/octet-stream": BYTES},
    "/log/tile/entries/{path}": {"application/octet-stream": BYTES},
}


def describe(paths: dict[str, Any]) -> None:
    """Add what is sent to, and answered by, the routes of receipts and of their log."""
    keep, verify = paths["/api/v1/receipts"]["post"], paths["/api/v1/receipts/verify"]["post"]
    bodies = [schema_of(CallBody), schema_of(SignedBody)]
    keep["requestBody"] = {"required": True, "content": {JSON: {"schema": {"anyOf": bodies}}}}
    keep["responses"]["200"] = keep["responses"]["201"] | {"description": "Kept."}
    verify["requestBody"] = {"required": True, "content": {JSON: OBJECT}}
    state = paths["/api/v1/receipts/statements"]["post"]
    state["requestBody"] = {"required": True, "content": {JSON: {"schema": schema_of(PeriodBody)}}}
    new = state["responses"]["201"] | {"content": {JSON: OBJECT}}
    state["responses"] |= {"200": new | {"description": "Stated before."}, "201": new}
    _describe_historic(paths)
    for path, content in RAW.items():
        paths[path]["get"]["responses"]["200"]["content"] = content


def _describe_historic(paths: dict[str, Any]) -> None:
    for name, body in (("generate", GenerateBody), ("preview", SelectorBody)):
        content = {JSON: {"schema": schema_of(body)}}
        paths[f"/api/v1/receipts/{name}"]["post"]["requestBody"] = {
            "required": True,
            "content": content,
        }
    generate, issue = (paths[f"/api/v1/receipts/{name}"]["post"] for name in ("generate", "issue"))
    logs = paths["/api/v1/receipts/{id}/logs"]["get"]
    id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    logs["parameters"] = [id, *logs["parameters"]]
    key = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
    generate["parameters"] = [key]
    nested = {"type": "object", "description": "a nested receipt", "required": ["tokens"]}
    shapes = {JSON: {"schema": {"anyOf": [schema_of(FlatBody), nested]}}}
    issue["requestBody"] = {"required": True, "content": shapes}
    issue["responses"]["200"]["content"] = {JSON: OBJECT}
