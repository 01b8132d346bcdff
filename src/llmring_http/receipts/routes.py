"""The receipt endpoints: what belongs to a project, and what anybody may ask."""

from typing import Any, Final

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from llmring_core.accounts import Caller, InvalidApiKey
from llmring_core.canonical import NotCanonical
from llmring_core.errors import InvalidField, Overloaded, StoreUnavailable
from llmring_core.idempotency import AlreadyAnswered, KeyReused
from llmring_core.receipts import (
    BadReceipt,
    BadSignature,
    CannotSign,
    DuplicateReceipt,
    ExportReceipts,
    FetchReceipt,
    IssueReceipt,
    ListReceipts,
    ProveReceipt,
    ReceiptId,
    ReceiptNotFound,
    StoreReceipt,
    VerifyReceipt,
)
from llmring_core.transparency import NotInLog
from llmring_http.callers import SECURITY, MissingCredentials
from llmring_http.decoding import query_parameters
from llmring_http.problems import BadRequest, Unprocessable, documented
from llmring_http.receipts.answers import AnyRequest, keeper, lines, proof_file, served
from llmring_http.receipts.wire import ExportQuery, Kept, ListQuery, ReceiptPage, VerdictBody

TENANT: Final = (BadRequest, InvalidApiKey, MissingCredentials, StoreUnavailable)


class ReceiptController(Controller):
    path = "/api/v1/receipts"
    tags = ["receipts"]

    @post(
        "/",
        status_code=201,
        security=SECURITY,
        responses=documented(
            *TENANT,
            Unprocessable,
            InvalidField,
            NotCanonical,
            BadReceipt,
            BadSignature,
            DuplicateReceipt,
            AlreadyAnswered,
            KeyReused,
            CannotSign,
            Overloaded,
        ),
    )
    async def keep(
        self,
        request: AnyRequest,
        caller: NamedDependency[Caller],
        issue_receipt: NamedDependency[IssueReceipt],
        store_receipt: NamedDependency[StoreReceipt],
    ) -> Response[Kept]:
        """Issue a receipt for a call (201), or keep one under `receipt` that we signed (200)."""
        keep = keeper(caller, issue_receipt, store_receipt)
        return await keep(request)

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
        list_receipts: NamedDependency[ListReceipts],
    ) -> ReceiptPage:
        """List receipts, the last stored first."""
        found, total = await list_receipts(caller.project, params.limit, params.offset)
        return ReceiptPage.of(found, total, params)

    @get(
        "/export",
        security=SECURITY,
        responses=documented(*TENANT, Unprocessable),
        **query_parameters(ExportQuery),
    )
    async def export(
        self,
        params: NamedDependency[ExportQuery],
        caller: NamedDependency[Caller],
        export_receipts: NamedDependency[ExportReceipts],
    ) -> Response[Any]:
        """Return every receipt of the project, one a line."""
        return await lines(export_receipts(caller.project), params.format)

    @post("/verify", status_code=200, responses=documented(NotCanonical, StoreUnavailable))
    async def verify(
        self, request: AnyRequest, verify_receipt: NamedDependency[VerifyReceipt]
    ) -> VerdictBody:
        """Say whether one of our keys signed a receipt; anybody may ask."""
        return VerdictBody.of(*await verify_receipt(await request.body()))

    @get("/{id:str}", security=SECURITY, responses=documented(*TENANT, ReceiptNotFound))
    async def fetch(
        self,
        id: FromPath[str],
        caller: NamedDependency[Caller],
        fetch_receipt: NamedDependency[FetchReceipt],
    ) -> Response[bytes]:
        """Return a receipt as it was signed; `X-Receipt-Valid` says whether it still verifies."""
        return served(*await fetch_receipt(caller.project, ReceiptId(id)))

    @get(
        "/{id:str}/proof",
        security=SECURITY,
        responses=documented(*TENANT, ReceiptNotFound, NotInLog),
    )
    async def proof(
        self,
        id: FromPath[str],
        caller: NamedDependency[Caller],
        prove_receipt: NamedDependency[ProveReceipt],
    ) -> Response[bytes]:
        """Return the proof file that shows the receipt in the transparency log."""
        return proof_file(await prove_receipt(caller.project, ReceiptId(id)))
