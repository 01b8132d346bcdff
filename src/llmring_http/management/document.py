"""What the OpenAPI document says of the management API's bodies and errors."""

from typing import Any, Final

from msgspec import Struct

from llmring_http.decoding import schema_of
from llmring_http.management.cache_wire import PurgeBody
from llmring_http.management.problems import JSON
from llmring_http.management.wire import (
    ChangeProjectBody,
    ChangeTokenBody,
    CreateProjectBody,
    CreateTokenBody,
)

BODIES: Final[dict[tuple[str, str], type[Struct]]] = {
    ("/manage/projects", "post"): CreateProjectBody,
    ("/manage/projects/{id}", "patch"): ChangeProjectBody,
    ("/manage/cache/purge", "post"): PurgeBody,
    ("/manage/tokens", "post"): CreateTokenBody,
    ("/manage/tokens/{id}", "patch"): ChangeTokenBody,
}
TOO_LARGE: Final = {
    "content": {JSON: {"schema": {"$ref": "#/components/schemas/ManagementProblem"}}},
    "description": "Request Entity Too Large",
}
PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
FROM_OUTSIDE: Final = {"400", "404", "503"}  # the guard, before any route is known, says these too


def describe_management(paths: dict[str, Any]) -> None:
    """Add what is sent, who may send it, and how a body too large is refused."""
    for (path, method), body in BODIES.items():
        content = {JSON: {"schema": schema_of(body)}}
        paths[path][method]["requestBody"] = {"required": True, "content": content}
        paths[path][method]["responses"]["413"] = TOO_LARGE
    for path, operations in paths.items():
        if path.startswith("/manage/"):
            for operation in operations.values():
                operation["security"] = [{"Bearer": []}]
                for status in FROM_OUTSIDE & operation["responses"].keys():
                    operation["responses"][status]["content"] |= PROBLEM
