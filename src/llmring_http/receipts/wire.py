"""The JSON of receipts. What is signed passes through as text, byte by byte."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Self

from msgspec import Meta, Raw, Struct

from llmring_core.receipts import (
    PublicKey,
    ReceiptToIssue,
    StoredReceipt,
    Verdict,
    base64url,
    jwk_of,
    pem_of,
)
from llmring_http.usage.wire import LogBody

AnyReceipt = Annotated[
    Raw,
    Meta(
        description="a receipt of any shape, with its signature",
        extra_json_schema={"type": "object"},
    ),
]
Limit = Annotated[int, Meta(ge=1, le=1000)]
Offset = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class SignedBody(Struct, frozen=True, kw_only=True):
    """A receipt that was signed before."""

    receipt: AnyReceipt


class CallBody(LogBody, frozen=True, kw_only=True):
    """A call that a receipt is wanted for."""

    lock_digest: str | None = None

    def wanted(self) -> ReceiptToIssue:
        """Raises InvalidField."""
        return ReceiptToIssue(call=self.command(), lock_digest=self.lock_digest)


class ListQuery(Struct, frozen=True, kw_only=True):
    limit: Limit = 100
    offset: Offset = 0


class ExportQuery(Struct, frozen=True, kw_only=True):
    format: Literal["jsonl"] = "jsonl"


class Kept(Struct, frozen=True, kw_only=True):
    """What became of a receipt."""

    receipt_id: str
    status: str  # verified: it was signed before; issued: it is new
    signature: str
    receipt: AnyReceipt

    @classmethod
    def of(cls, stored: StoredReceipt, status: str) -> Self:
        return cls(
            receipt_id=stored.id,
            status=status,
            signature=stored.signature,
            receipt=Raw(stored.document.encode()),
        )


class ReceiptPage(Struct, frozen=True, kw_only=True):
    receipts: Sequence[AnyReceipt]  # the last stored first
    total: int
    limit: int
    offset: int

    @classmethod
    def of(cls, found: Sequence[StoredReceipt], total: int, asked: ListQuery) -> Self:
        receipts = [Raw(stored.document.encode()) for stored in found]
        return cls(receipts=receipts, total=total, limit=asked.limit, offset=asked.offset)


class VerdictBody(Struct, frozen=True, kw_only=True):
    receipt_id: str | None
    valid: bool
    algorithm: str
    reason: str | None  # why it is not valid
    key_id: str | None  # of whoever signed it
    full: bool | None  # whether what a flat one says besides is signed too; null: it never was

    @classmethod
    def of(cls, document: dict[str, object], verdict: Verdict) -> Self:
        id = document.get("receipt_id", document.get("id"))
        return cls(
            receipt_id=id if isinstance(id, str) else None,
            valid=verdict.valid,
            algorithm="Ed25519",
            reason=verdict.reason,
            key_id=verdict.key_id,
            full=verdict.full,
        )


class KeyBody(Struct, frozen=True, kw_only=True):
    """A public key in every form that earlier servers published, and its dates."""

    kid: str
    kty: str
    crv: str
    x: str
    key_id: str
    public_key: str
    public_key_pem: str
    algorithm: str
    format: str
    status: str
    created_at: str
    retired_at: str | None
    revoked_at: str | None

    @classmethod
    def of(cls, key: PublicKey) -> Self:
        return cls(
            **jwk_of(key.raw),
            kid=key.id,
            key_id=key.id,
            public_key=base64url(key.raw),
            public_key_pem=pem_of(key.raw),
            algorithm="Ed25519",
            format="base64url",
            status=key.status,
            created_at=key.not_before.isoformat(),
            retired_at=_text(key.retired_at),
            revoked_at=_text(key.revoked_at),
        )


class KeyList(Struct, frozen=True, kw_only=True):
    keys: list[KeyBody]  # the newest first
    current_key_id: str | None


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
