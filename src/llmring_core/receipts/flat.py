"""Rule: a flat receipt as we sign it, twice.

``signature`` covers thirteen members, as published clients and servers check it. What a receipt
says besides is its content: ``content_digest`` is the SHA-256 of its RFC 8785 form, absent members
being null, and ``signature_v2`` covers the thirteen members, that digest and ``key_id``.
"""

from hashlib import sha256

from msgspec import Struct, to_builtins

from llmring_core.canonical import canonical
from llmring_core.receipts.errors import BadSignature
from llmring_core.receipts.historic import CONTENT, document_of, flat_members
from llmring_core.receipts.ports import ReceiptSigner
from llmring_core.receipts.signing import verify

ID_BYTES = 8


class FlatReceipt(Struct, frozen=True, kw_only=True):
    """The thirteen members. Amounts are doubles: that is what the historic form has."""

    receipt_id: str
    timestamp: str  # as Python writes it: UTC is +00:00
    alias: str
    profile: str
    lock_digest: str
    provider: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    input_cost: float  # US dollars
    output_cost: float
    total_cost: float


class SignedFlat(Struct, frozen=True, kw_only=True):
    body: str  # RFC 8785 of the thirteen members
    loose: str  # RFC 8785 of content, key_id, content_digest and signature_v2
    signature: str

    @property
    def document(self) -> str:
        return document_of(self.body, self.loose, self.signature)


def sign_flat(
    receipt: FlatReceipt, content: dict[str, object], signer: ReceiptSigner
) -> SignedFlat:
    """Sign ``receipt`` and its ``content``. Raises NotCanonical, CannotSign."""
    members = to_builtins(receipt)
    covered = {"key_id": signer.key_id, "content_digest": digest_of(content)}
    body = canonical(members)
    loose = content | covered | {"signature_v2": signer.sign(canonical(members | covered))}
    return SignedFlat(
        body=body.decode(), loose=canonical(loose).decode(), signature=signer.sign(body)
    )


def digest_of(document: dict[str, object]) -> str:
    """Return the digest of a receipt's content, 64 hex digits. Raises NotCanonical."""
    return sha256(canonical({name: document.get(name) for name in CONTENT})).hexdigest()


def is_full(document: dict[str, object], public_key: bytes) -> bool | None:
    """Say whether the content is what ``public_key`` signed too; None when it never was signed.

    Raises: BadReceipt, NotCanonical.
    """
    if "signature_v2" not in document:
        return None
    covered = {name: document.get(name) for name in ("key_id", "content_digest")}
    message = canonical(flat_members(document) | covered)
    try:
        verify(message, document["signature_v2"], public_key)
    except BadSignature:
        return False
    return document.get("content_digest") == digest_of(document)


def historic_id(secret: bytes) -> str:
    """Return a receipt's id as historic servers made them: 16 hex digits nobody can guess."""
    return f"rcpt_{secret[-ID_BYTES:].hex()}"
