"""Statements over HTTP: what all of a project's receipts of a day or month come to."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Self

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Raw, Struct

from llmring_core.accounts import Caller, InvalidApiKey
from llmring_core.errors import InvalidField, StoreUnavailable
from llmring_core.receipts import (
    CannotSign,
    FetchStatement,
    IssueStatement,
    ListStatements,
    NotYetStated,
    ProveStatement,
    ReadStated,
    StatementId,
    StatementNotFound,
    StoredStatement,
    TooManyModels,
)
from llmring_core.transparency import NotInLog
from llmring_http.callers import SECURITY, MissingCredentials
from llmring_http.decoding import decode_body, query_parameters
from llmring_http.problems import BadRequest, Unprocessable, documented
from llmring_http.receipts.answers import AnyRequest, lines, proof_file, served
from llmring_http.receipts.wire import AnyReceipt, ListQuery

TENANT: Final = (BadRequest, InvalidApiKey, MissingCredentials, StoreUnavailable)
JSON: Final = "application/json"


class PeriodBody(Struct, frozen=True, kw_only=True):
    """Which receipts to add up."""

    period: str  # a day or month of UTC that is over: 2026-11-20 or 2026-11


class StatementPage(Struct, frozen=True, kw_only=True):
    statements: Sequence[AnyReceipt]  # the last stored first
    total: int
    limit: int
    offset: int

    @classmethod
    def of(cls, found: Sequence[StoredStatement], total: int, asked: ListQuery) -> Self:
        statements = [Raw(stored.document.encode()) for stored in found]
        return cls(statements=statements, total=total, limit=asked.limit, offset=asked.offset)


class StatementController(Controller):
    path = "/api/v1/receipts/statements"
    tags = ["receipts"]

    @post(
        "/",
        status_code=201,
        security=SECURITY,
        responses=documented(
            *TENANT, Unprocessable, InvalidField, NotYetStated, TooManyModels, CannotSign
        ),
    )
    async def state(
        self,
        request: AnyRequest,
        caller: NamedDependency[Caller],
        issue_statement: NamedDependency[IssueStatement],
    ) -> Response[bytes]:
        """State what a day or month came to (201), or return what was stated before (200)."""
        state = stater(caller, issue_statement)
        return await state(request)

    @get(
        "/",
        security=SECURITY,
        responses=documented(*TENANT, Unprocessable),
        **query_parameters(ListQuery),
    )
    async def list_(
        self,
        params: NamedDependency[ListQuery],
        caller: NamedDependency[Caller],
        list_statements: NamedDependency[ListStatements],
    ) -> StatementPage:
        """List statements, the last stored first."""
        found, total = await list_statements(caller.project, params.limit, params.offset)
        return StatementPage.of(found, total, params)

    @get("/{id:str}", security=SECURITY, responses=documented(*TENANT, StatementNotFound))
    async def fetch(
        self,
        id: FromPath[str],
        caller: NamedDependency[Caller],
        fetch_statement: NamedDependency[FetchStatement],
    ) -> Response[bytes]:
        """Return a statement as it was signed; `X-Receipt-Valid` says whether it still verifies."""
        return served(*await fetch_statement(caller.project, StatementId(id)))

    @get("/{id:str}/receipts", security=SECURITY, responses=documented(*TENANT, StatementNotFound))
    async def receipts(
        self,
        id: FromPath[str],
        caller: NamedDependency[Caller],
        read_stated: NamedDependency[ReadStated],
    ) -> Response[Any]:
        """Return the receipts that a statement adds up, one a line, by their numbers."""
        return await lines(read_stated(caller.project, StatementId(id)))

    @get(
        "/{id:str}/proof",
        security=SECURITY,
        responses=documented(*TENANT, StatementNotFound, NotInLog),
    )
    async def proof(
        self,
        id: FromPath[str],
        caller: NamedDependency[Caller],
        prove_statement: NamedDependency[ProveStatement],
    ) -> Response[bytes]:
        """Return the proof file that shows the statement in the transparency log."""
        return proof_file(await prove_statement(caller.project, StatementId(id)))


def stater(
    caller: Caller, issue: IssueStatement
) -> Callable[[AnyRequest], Awaitable[Response[bytes]]]:
    """Return what answers a request for a statement. To ask again changes nothing."""

    async def state(request: AnyRequest) -> Response[bytes]:
        body = await request.body()
        asked = decode_body(body, request.headers.get("content-type"), PeriodBody)
        stored, new = await issue(caller.project, asked.period)
        content = stored.document.encode()
        return Response(content, media_type=JSON, status_code=201 if new else 200)

    return state
