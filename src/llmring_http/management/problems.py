"""Errors of the management API: what clients of such gateways read, and our own members beside."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ClassVar, Final, TypeAlias

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec

from llmring_core.errors import Invalid, LLMRingError
from llmring_core.gateway import NoTokensForInactive
from llmring_http.problems import STATUS, Problem, Unprocessable, problem_of, status_of

Handler: TypeAlias = Callable[[Request[Any, Any, Any], Any], Response[Any]]

JSON: Final = "application/json"
INVALID_BODY: Final = "invalid request body"
DELETION_REFUSED: Final = "project deletion is not permitted"


class ManagementProblem(Problem, kw_only=True, omit_defaults=True):
    """An error of the management API; ``error`` says what clients look for."""

    error: str
    message: str | None = None


class ProjectsStay(LLMRingError):
    """Projects are not deleted here; switch one off instead, or allow it in the settings."""

    code: ClassVar[str] = "gateway.projects-stay"

    def __init__(self) -> None:
        super().__init__("method not allowed")


STATUS[ProjectsStay] = 405


def management_problem(
    request: Request[Any, Any, Any], error: Exception
) -> Response[ManagementProblem]:
    """Return the answer that any error of a management route stands for."""
    usual = problem_of(request, error)
    content, headers = usual.content, dict(usual.headers)
    status = status_in(error)
    if isinstance(error, ProjectsStay):
        headers["Allow"] = "GET, PATCH"
    body = ManagementProblem(
        type=content.type,
        title=content.title,
        status=status,
        detail=content.detail,
        code=error.wire_code if isinstance(error, NoTokensForInactive) else content.code,
        request_id=content.request_id,
        error=said(error),
        message=DELETION_REFUSED if isinstance(error, ProjectsStay) else None,
    )
    return Response(body, status_code=status, media_type=JSON, headers=headers)


def status_in(error: Exception) -> int:
    """Return the status of any error of a management route."""
    if isinstance(error, Invalid):
        return 400  # what is wrong with it is in the detail, as everywhere
    if isinstance(error, LLMRingError):
        return status_of(type(error))
    return error.status_code if isinstance(error, HTTPException) else 500


def said(error: Exception) -> str:
    """Return what clients look for in the answer to any error; of bugs it says nothing."""
    if isinstance(error, Unprocessable) and error.errors[0].loc[0] == "body":
        return INVALID_BODY
    if isinstance(error, LLMRingError):
        return str(error)
    return HTTPStatus(status_in(error)).phrase.lower()


HANDLERS: Final[dict[int | type[Exception], Handler]] = {
    LLMRingError: management_problem,
    HTTPException: management_problem,
    Exception: management_problem,
}


def documented(*errors: type[LLMRingError]) -> dict[int, ResponseSpec]:
    """Return the OpenAPI ``responses`` of a management route that may raise ``errors``."""
    codes: dict[int, list[str]] = {}
    for error in errors:
        status = 400 if issubclass(error, Invalid) else status_of(error)
        code = error.wire_code if issubclass(error, NoTokensForInactive) else error.code
        codes.setdefault(status, []).append(code)
    return {
        status: ResponseSpec(
            ManagementProblem,
            description=", ".join(found),
            media_type=JSON,
            generate_examples=False,  # they would be random
        )
        for status, found in codes.items()
    }
