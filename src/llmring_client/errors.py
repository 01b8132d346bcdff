"""Problem bodies become the error families of the core again."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, ValidationError, json

from llmring_core.errors import (
    Conflict,
    Forbidden,
    Invalid,
    LimitExceeded,
    LLMRingError,
    NotFound,
    Unauthenticated,
    Unavailable,
)

FAMILIES: Final[Mapping[int, type[LLMRingError]]] = {
    400: Invalid,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: Invalid,
    422: Invalid,
    429: LimitExceeded,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


class FieldError(Struct, frozen=True):
    loc: list[str | int]
    msg: str


class Problem(Struct, frozen=True):
    detail: str | list[FieldError]
    code: str = ""
    request_id: str | None = None


def error_of(status: int, body: bytes) -> LLMRingError:
    """Return the error an answer stands for; its notes tell the code and the request id."""
    try:
        problem = json.decode(body, type=Problem)
    except (ValidationError, ValueError):  # a proxy's page, not ours
        problem = Problem(detail=f"the server answered {status}")
    error = FAMILIES.get(status, LLMRingError)(_sentence(problem.detail))
    error.add_note(f"code {problem.code or status}, request {problem.request_id or 'unknown'}")
    return error


def _sentence(detail: str | list[FieldError]) -> str:
    if isinstance(detail, str):
        return detail
    return "; ".join(f"{'.'.join(map(str, error.loc[1:]))}: {error.msg}" for error in detail)
