"""Answers about receipts that are more than their JSON."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from litestar import Request, Response
from litestar.datastructures.state import State
from litestar.response import Stream

from llmring_core.accounts import Caller
from llmring_core.receipts import (
    IssueReceipt,
    StoredReceipt,
    StoredStatement,
    StoreReceipt,
    Verdict,
)
from llmring_core.transparency import InclusionProof
from llmring_http.decoding import decode_body
from llmring_http.receipts.wire import CallBody, Kept, SignedBody
from llmring_http.requests import headers_of, identity_of

AnyRequest = Request[None, None, State]

Pages = AsyncIterator[list[StoredReceipt]]

LINES = "application/x-ndjson"
PROOF_TYPE = "text/plain"  # the framework adds the charset


def keeper(
    caller: Caller, issue: IssueReceipt, store: StoreReceipt
) -> Callable[[AnyRequest], Awaitable[Response[Kept]]]:
    """Return what answers a body: one with a receipt is stored, any other is a call."""

    async def keep(request: AnyRequest) -> Response[Kept]:
        headers, body = headers_of(request.scope), await request.body()
        content_type = headers.get(b"content-type")
        if b'"receipt"' in body:
            signed = decode_body(body, content_type, SignedBody)
            stored = await store(caller.project, bytes(signed.receipt))
            return Response(Kept.of(stored, "verified"), status_code=200)
        wanted = decode_body(body, content_type, CallBody).wanted()
        key = identity_of(headers, request.scope).key
        outcome = await issue(caller.project, wanted, key)
        replayed = {"Idempotency-Replayed": "true"} if outcome.replayed else None
        answer = Kept.of(outcome.value, "issued")
        return Response(answer, status_code=201, headers=replayed)

    return keep


def served(stored: StoredReceipt | StoredStatement, verdict: Verdict) -> Response[bytes]:
    """Answer with what was signed, as it was, and say whether it still verifies."""
    headers = {"X-Receipt-Valid": str(verdict.valid).lower()}
    return Response(stored.document.encode(), media_type="application/json", headers=headers)


def proof_file(proof: InclusionProof) -> Response[bytes]:
    headers = {"Content-Disposition": 'attachment; filename="receipt.tlog-proof"'}
    return Response(proof.text.encode(), media_type=PROOF_TYPE, headers=headers)


async def lines(pages: Pages, format: str = "jsonl") -> Response[Any]:
    """Answer with receipts as they are served. The first page is read before the status is sent."""
    first = await anext(pages)

    async def parts() -> AsyncIterator[bytes]:
        yield _lines(first)
        async for page in pages:
            yield _lines(page)

    disposition = {"Content-Disposition": f'attachment; filename="receipts.{format}"'}
    return Stream(parts(), media_type=LINES, headers=disposition)


def _lines(page: Sequence[StoredReceipt]) -> bytes:
    return b"".join(stored.document.encode() + b"\n" for stored in page)
