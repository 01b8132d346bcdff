"""Errors on the wire: RFC 9457 problem details. The only place that knows both words.

``detail`` is what historic clients read: a sentence, or for an unprocessable request a list of
``{type, loc, msg, input}`` that names each field and the rule it breaks.
"""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar, Final

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from msgspec import UNSET, Struct, UnsetType, json

from llmring_core.errors import (
    Conflict,
    Forbidden,
    Invalid,
    InvalidField,
    LimitExceeded,
    LLMRingError,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from llmring_core.gateway import Unacceptable
from llmring_core.gateway.forwarding import (
    CallRefused,
    MethodNotAllowed,
    UpstreamFailed,
    UpstreamTimeout,
)
from llmring_core.receipts import BadSignature, CannotCertify
from llmring_core.transparency import BadSubmission

STATUS: Final[dict[type[LLMRingError], int]] = {
    Invalid: 422,
    BadSignature: 400,  # as historic servers answer
    CannotCertify: 400,  # the same
    Unacceptable: 400,  # as other gateways answer
    BadSubmission: 400,  # as C2SP tlog-witness has it
    CallRefused: 400,  # as OpenAI answers
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    Conflict: 409,
    LimitExceeded: 429,
    Unavailable: 503,
    UpstreamFailed: 502,
    UpstreamTimeout: 504,
    LLMRingError: 500,
}
HEADERS: Final[dict[int, dict[str, str]]] = {
    401: {"WWW-Authenticate": "Bearer"},
    409: {"Retry-After": "1"},
    413: {"Connection": "close"},
    503: {"Retry-After": "1"},
}
MEDIA_TYPE = "application/problem+json"

log = logging.getLogger("llmring")


class FieldError(Struct, frozen=True, kw_only=True):
    """One field that breaks one rule."""

    type: str
    loc: Sequence[str | int]  # body, query or path, then the way to the field
    msg: str
    input: str | int | float | bool | UnsetType | None = UNSET  # what was sent, when it is short


class Problem(Struct, kw_only=True, omit_defaults=True):
    """RFC 9457 body, with the members historic clients read."""

    type: str
    title: str
    status: int
    detail: str | Sequence[FieldError]
    code: str
    request_id: str | None = None


class BadRequest(LLMRingError):
    """The request contradicts itself or HTTP; before any of it is looked at."""

    code: ClassVar[str] = "bad-request"


class Unprocessable(Invalid):
    """The body or query does not have the documented form."""

    code: ClassVar[str] = "unprocessable"

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{error.loc[-1]}: {error.msg}" for error in errors))
        self.errors = errors


STATUS[BadRequest] = 400


def status_of(error: type[LLMRingError]) -> int:
    return next(STATUS[family] for family in error.__mro__ if family in STATUS)


def documented(*errors: type[LLMRingError]) -> dict[int, ResponseSpec]:
    """Return the OpenAPI ``responses`` of a handler that may raise ``errors``."""
    codes: dict[int, list[str]] = {}
    for error in errors:
        codes.setdefault(status_of(error), []).append(error.code)
    return {
        status: ResponseSpec(
            Problem,
            description=", ".join(found),
            media_type=MEDIA_TYPE,
            generate_examples=False,  # they would be random
        )
        for status, found in codes.items()
    }


def problem_of(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Return the answer that any error stands for."""
    if isinstance(error, LLMRingError):
        return domain_problem(request, error)
    if isinstance(error, HTTPException):
        return http_problem(request, error)
    return unexpected_problem(request, error)


def bare_answer(status: int, detail: str, request_id: str) -> bytes:
    """Return a whole HTTP/1.1 answer, for requests that no application ever sees."""
    phrase = HTTPStatus(status).phrase
    code = phrase.lower().replace(" ", "-")
    problem = Problem(
        type=f"urn:llmring:{code}",
        title=phrase,
        status=status,
        detail=detail,
        code=code,
        request_id=request_id,
    )
    body = json.encode(problem)
    head = (
        f"HTTP/1.1 {status} {phrase}\r\n"
        f"content-type: {MEDIA_TYPE}\r\n"
        f"content-length: {len(body)}\r\n"
        f"x-request-id: {request_id}\r\n"
        "x-content-type-options: nosniff\r\n"
        "cache-control: no-store\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body


def domain_problem(request: Request[Any, Any, Any], error: LLMRingError) -> Response[Problem]:
    status = status_of(type(error))
    title = (type(error).__doc__ or "").splitlines()[0]
    return _response(request, status, error.code, title, _detail(request, error))


def http_problem(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """What the framework refused: an unknown route or method, a body that is too large."""
    phrase = HTTPStatus(error.status_code).phrase
    response = _response(
        request, error.status_code, phrase.lower().replace(" ", "-"), phrase, phrase
    )
    given = {name.title(): value for name, value in (error.headers or {}).items()}
    if "GET" in given.get("Allow", ""):
        given["Allow"] = ", ".join(sorted({*given["Allow"].split(", "), "HEAD"}))  # see frame.py
    response.headers.update(given)
    return response


def unexpected_problem(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """A bug. The log has its trace; the caller learns nothing about our insides."""
    log.error("unexpected error", exc_info=error, extra={"request_id": request_id(request)})
    phrase = "Internal Server Error"
    return _response(request, 500, "internal", phrase, phrase)


def request_id(request: Request[Any, Any, Any]) -> str | None:
    """Return the id the frame gave this request."""
    found = request.scope.get("state", {}).get("request_id")
    return found if isinstance(found, str) else None


def _detail(request: Request[Any, Any, Any], error: LLMRingError) -> str | Sequence[FieldError]:
    if isinstance(error, Unprocessable):
        return error.errors
    if isinstance(error, InvalidField):
        place = "query" if request.method == "GET" else "body"
        return [FieldError(type="value_error", loc=(place, error.field), msg=error.rule)]
    return str(error)


def _response(
    request: Request[Any, Any, Any],
    status: int,
    code: str,
    title: str,
    detail: str | Sequence[FieldError],
) -> Response[Problem]:
    problem = Problem(
        type=f"urn:llmring:{code}",
        title=title,
        status=status,
        detail=detail,
        code=code,
        request_id=request_id(request),
    )
    headers = dict(HEADERS.get(status, {}))
    return Response(problem, status_code=status, media_type=MEDIA_TYPE, headers=headers)
