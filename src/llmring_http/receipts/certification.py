"""The receipt endpoints of earlier servers: for calls logged already, and for calls stated."""

from datetime import datetime
from typing import Final

from litestar import Controller, Request, Response, get, post
from litestar.datastructures.state import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from llmring_core.accounts import Caller, InvalidApiKey
from llmring_core.errors import InvalidField, StoreUnavailable
from llmring_core.idempotency import AlreadyAnswered, KeyReused
from llmring_core.receipts import (
    CannotSign,
    CertifyLogs,
    ListCertified,
    ListUncertified,
    NoLogsFound,
    NothingSelected,
    PreviewReceipt,
    ReceiptId,
    ReceiptNotFound,
    SignHistoric,
    TooManyLogs,
)
from llmring_http.callers import SECURITY, MissingCredentials
from llmring_http.decoding import query_parameters
from llmring_http.problems import BadRequest, Unprocessable, documented
from llmring_http.receipts.certification_wire import (
    CertifiedPage,
    GenerateBody,
    Generated,
    Preview,
    SelectorBody,
    UncertifiedPage,
    generated,
)
from llmring_http.receipts.sent import body_of, key_of, statement_in
from llmring_http.receipts.wire import ListQuery

READ: Final = (BadRequest, InvalidApiKey, MissingCredentials, StoreUnavailable, Unprocessable)
SELECT: Final = (*READ, InvalidField, NothingSelected, TooManyLogs)
JSON: Final = "application/json"

AnyRequest = Request[None, None, State]


class CertificationController(Controller):
    path = "/api/v1/receipts"
    tags = ["receipts"]
    security = SECURITY

    @post(
        "/generate",
        status_code=200,
        responses=documented(*SELECT, NoLogsFound, CannotSign, KeyReused, AlreadyAnswered),
    )
    async def generate(
        self,
        request: AnyRequest,
        now: NamedDependency[datetime],
        caller: NamedDependency[Caller],
        certify_logs: NamedDependency[CertifyLogs],
    ) -> Response[Generated]:
        """Sign and keep one receipt for logs that have none."""
        wanted = (await body_of(request, GenerateBody)).wanted(now)
        return generated(await certify_logs(caller.project, wanted, key_of(request)))

    @post("/preview", status_code=200, responses=documented(*SELECT))
    async def preview(
        self,
        request: AnyRequest,
        now: NamedDependency[datetime],
        caller: NamedDependency[Caller],
        preview_receipt: NamedDependency[PreviewReceipt],
    ) -> Preview:
        """Say what a receipt for these logs would say, without making one."""
        selector = (await body_of(request, SelectorBody)).selector(now)
        return Preview.of(await preview_receipt(caller.project, selector))

    @get("/uncertified", responses=documented(*READ), **query_parameters(ListQuery))
    async def uncertified(
        self,
        params: NamedDependency[ListQuery],
        caller: NamedDependency[Caller],
        list_uncertified: NamedDependency[ListUncertified],
    ) -> UncertifiedPage:
        """List logs without a receipt, the oldest first."""
        page = await list_uncertified(caller.project, params.limit, params.offset)
        return UncertifiedPage.of(page, params)

    @get(
        "/{id:str}/logs",
        responses=documented(*READ, ReceiptNotFound),
        **query_parameters(ListQuery),
    )
    async def logs(
        self,
        id: FromPath[str],
        params: NamedDependency[ListQuery],
        caller: NamedDependency[Caller],
        list_certified: NamedDependency[ListCertified],
    ) -> CertifiedPage:
        """List the logs that a receipt certifies, in its order."""
        page = await list_certified(caller.project, ReceiptId(id), params.limit, params.offset)
        return CertifiedPage.of(ReceiptId(id), page, params)

    @post("/issue", status_code=200, responses=documented(*READ, InvalidField, CannotSign))
    async def issue(
        self,
        request: AnyRequest,
        caller: NamedDependency[Caller],  # noqa: ARG002  nobody else may have receipts signed
        sign_historic: NamedDependency[SignHistoric],
    ) -> Response[bytes]:
        """Sign a flat or nested receipt at the registry's price; it is not kept."""
        signed = await sign_historic(await statement_in(request))
        return Response(signed.encode(), media_type=JSON)
