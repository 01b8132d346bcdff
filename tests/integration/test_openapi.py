"""The OpenAPI document: complete, true to the routes, and the one in the documentation."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import Struct, json
from msgspec.structs import fields

from llmring_core.registry import Change
from llmring_http.health.routes import Alive, Health, RegistryHealth, Root
from llmring_http.management.problems import ManagementProblem
from llmring_http.management.wire import (
    BudgetBody,
    IssuedBody,
    ProjectBody,
    RevokedBody,
    TokenBody,
)
from llmring_http.problems import FieldError, Problem
from llmring_http.receipts.certification_wire import (
    CertifiedLog,
    CertifiedPage,
    Generated,
    Preview,
    PreviewPart,
    UncertifiedLog,
    UncertifiedPage,
)
from llmring_http.registry.changelog import ChangelogBody, ChangesSummary, VersionChanges
from llmring_http.registry.wire import Manifest, ManifestEntry, MirroredFile, RegistryBody
from llmring_http.usage.bulk import BatchAnswer, LineAnswer, LineRejected
from llmring_http.usage.stats import Stats, StatsGroup, StatsOrigin, StatsPeriod, StatsSummary
from llmring_http.usage.wire import LogAnswer, LogBody, LogRow
from tests.integration.server import ROOT, RunningServer

SNAPSHOT = ROOT / "docs" / "reference" / "openapi.json"
ROUTES = {
    "get /",
    "get /health",
    "get /health/live",
    "get /live",
    "get /healthz",
    "get /health/ready",
    "get /ready",
    "get /readyz",
    "get /registry",
    "get /registry.json",
    "get /registry/changelog",
    "get /registry/manifest.json",
    "get /registry/v/{version}/registry.json",
    "get /registry/{provider}/models.json",
    "get /registry/{provider}/v/{number}/models.json",
    "post /api/v1/log",
    "post /api/v1/log/batch",
    "post /api/v1/logs/import",
    "get /api/v1/logs",
    "get /api/v1/stats",
    "get /api/v1/receipts",
    "post /api/v1/receipts",
    "post /api/v1/receipts/generate",
    "post /api/v1/receipts/issue",
    "post /api/v1/receipts/preview",
    "get /api/v1/receipts/uncertified",
    "post /api/v1/receipts/verify",
    "get /api/v1/receipts/export",
    "get /api/v1/receipts/statements",
    "post /api/v1/receipts/statements",
    "get /api/v1/receipts/statements/{id}",
    "get /api/v1/receipts/statements/{id}/receipts",
    "get /api/v1/receipts/statements/{id}/proof",
    "get /api/v1/receipts/{id}",
    "get /api/v1/receipts/{id}/logs",
    "get /api/v1/receipts/{id}/proof",
    "get /api/v1/receipts/public-key.pem",
    "get /api/v1/receipts/public-keys.json",
    "get /receipts/public-key.pem",
    "get /receipts/public-key.jwk",
    "get /receipts/public-keys.json",
    "get /.well-known/jwks.json",
    "get /log/checkpoint",
    "get /log/public-key",
    "get /log/tile/{level}/{path}",
    "get /log/tile/entries/{path}",
    "get /log/consistency",
    "get /manage/projects",
    "post /manage/projects",
    "get /manage/projects/{id}",
    "patch /manage/projects/{id}",
    "delete /manage/projects/{id}",
    "post /manage/projects/{id}/tokens/revoke",
    "post /manage/cache/purge",
    "get /manage/tokens",
    "post /manage/tokens",
    "get /manage/tokens/{id}",
    "patch /manage/tokens/{id}",
    "delete /manage/tokens/{id}",
    "get /manage/audit",
    "get /manage/audit/{id}",
}
PUBLIC = (  # though they are where tenants' routes are
    "get /api/v1/receipts/public-key",
    "post /api/v1/receipts/verify",
)
ERRORS = {"application/problem+json": "Problem"}
MANAGEMENT_ERRORS = {"application/json": "ManagementProblem"}
ANSWERS = [
    Root,
    Health,
    Alive,
    LogAnswer,
    BatchAnswer,
    LineAnswer,
    LineRejected,
    LogRow,
    Stats,
    StatsSummary,
    StatsPeriod,
    StatsGroup,
    StatsOrigin,
    RegistryBody,
    RegistryHealth,
    Manifest,
    ManifestEntry,
    MirroredFile,
    ChangelogBody,
    VersionChanges,
    ChangesSummary,
    Change,
    CertifiedLog,
    CertifiedPage,
    Generated,
    Preview,
    PreviewPart,
    UncertifiedLog,
    UncertifiedPage,
    ProjectBody,
    TokenBody,
    IssuedBody,
    RevokedBody,
    BudgetBody,
    ManagementProblem,
    Problem,
    FieldError,
]


@pytest.fixture(scope="module")
def document(server_on_sqlite: RunningServer) -> dict[str, Any]:
    return dict(server_on_sqlite.http.get("/openapi.json").json())


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def everything_in(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in inside:
        yield from everything_in(part)


def test_it_is_openapi_3_1_and_ours(document: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.1\.\d", document["openapi"])
    assert document["info"]["title"] == "LLMRing Server" and document["info"]["version"]
    assert document.keys() <= {"openapi", "info", "servers", "paths", "components", "tags"}


def test_it_lists_every_route_and_no_other(document: dict[str, Any]) -> None:
    assert {name for name, _ in operations(document)} == ROUTES


def test_every_operation_is_whole(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names)
    for name, operation in operations(document):
        assert operation["description"] and operation["tags"], name
        assert {"200", "201", "204"} & operation["responses"].keys(), name
        in_path = {part["name"] for part in operation.get("parameters", []) if part["in"] == "path"}
        assert in_path == set(re.findall(r"\{(\w+)\}", name)), name
        for answer in operation["responses"].values():
            assert answer["description"], name


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    references = [part["$ref"] for part in everything_in(document) if "$ref" in part]

    assert references
    assert all(r.removeprefix("#/components/schemas/") in schemas for r in references)


@pytest.mark.parametrize("answer", ANSWERS)
def test_every_member_of_every_answer_is_described(
    document: dict[str, Any], answer: type[Struct]
) -> None:
    described = document["components"]["schemas"][answer.__name__]["properties"]

    assert described.keys() == {field.encode_name for field in fields(answer)}
    assert all(described.values()), "an empty schema says nothing"


def test_the_body_of_a_call_is_described(document: dict[str, Any]) -> None:
    body = document["paths"]["/api/v1/log"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]

    assert body["required"] and schema["properties"].keys() == {
        field.encode_name for field in fields(LogBody)
    }
    assert schema["required"] == ["provider", "model", "input_tokens", "output_tokens"]
    assert schema["properties"]["cost"]["type"] == ["number", "string", "null"]


def test_queries_are_described(document: dict[str, Any]) -> None:
    def names(path: str) -> set[str]:
        return {part["name"] for part in document["paths"][path]["get"]["parameters"]}

    shared = {"start_date", "end_date", "tz", "alias", "model", "origin"}
    assert names("/api/v1/logs") == shared | {"limit", "offset", "cursor", "format"}
    assert names("/api/v1/stats") == shared | {"group_by"}
    assert names("/registry") == {"version", "providers", "capabilities"}


def test_usage_needs_a_key_and_the_rest_does_not(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"].keys() == {"ApiKey", "Bearer"}
    for name, operation in operations(document):
        wants_key = operation.get("security") == [{"ApiKey": []}, {"Bearer": []}]
        assert wants_key == ("/api/v1/" in name and not name.startswith(PUBLIC)), name


def test_errors_are_the_ones_we_send(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status not in ("200", "201", "204", "304"):
                schemas = {
                    m: a["schema"]["$ref"].split("/")[-1] for m, a in answer["content"].items()
                }
                managing = MANAGEMENT_ERRORS if "/manage/" in name else {}
                assert schemas and schemas.items() <= (ERRORS | managing).items(), (name, status)
                assert managing or schemas == ERRORS, (name, status)
    log = document["paths"]["/api/v1/log"]["post"]["responses"]
    assert log.keys() == {
        *("200", "400", "401", "404", "408", "409", "413", "414", "415", "422", "431", "503")
    }


def test_it_is_the_same_every_time_and_made_up_of_no_random_words(
    document: dict[str, Any], server_on_sqlite: RunningServer
) -> None:
    assert server_on_sqlite.http.get("/openapi.json").json() == document
    assert not any("examples" in part for part in everything_in(document))


def test_the_documentation_has_the_same(document: dict[str, Any]) -> None:
    assert json.decode(SNAPSHOT.read_bytes()) == document, (
        f"the API changed; write it down: curl URL/openapi.json | python -m json.tool > {SNAPSHOT}"
    )
