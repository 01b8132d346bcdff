"""Answers about receipts that are more than their JSON."""

from collections.abc import Awaitable, Callable

from litestar import Response

from llmring_core.accounts import Caller
from llmring_core.receipts import IssueReceipt, StoredReceipt, StoreReceipt, Verdict
from llmring_core.transparency import InclusionProof
from llmring_http.decoding import decode_body
from llmring_http.receipts.wire import CallBody, Kept, SignedBody

PROOF_TYPE = "text/plain"  # the framework adds the charset


def keeper(
    caller: Caller, issue: IssueReceipt, store: StoreReceipt
) -> Callable[[bytes, str | None], Awaitable[Response[Kept]]]:
    """Return what answers a body: one with a receipt is stored, any other is a call."""

    async def keep(body: bytes, content_type: str | None) -> Response[Kept]:
        if b'"receipt"' in body:
            signed = decode_body(body, content_type, SignedBody)
            stored = await store(caller.project, bytes(signed.receipt))
            return Response(Kept.of(stored, "verified"), status_code=200)
        wanted = decode_body(body, content_type, CallBody).wanted()
        return Response(Kept.of(await issue(caller.project, wanted), "issued"), status_code=201)

    return keep


def served(stored: StoredReceipt, verdict: Verdict) -> Response[bytes]:
    """Answer with a receipt as it was signed, and say whether it still verifies."""
    headers = {"X-Receipt-Valid": str(verdict.valid).lower()}
    return Response(stored.document.encode(), media_type="application/json", headers=headers)


def proof_file(proof: InclusionProof) -> Response[bytes]:
    headers = {"Content-Disposition": 'attachment; filename="receipt.tlog-proof"'}
    return Response(proof.text.encode(), media_type=PROOF_TYPE, headers=headers)
