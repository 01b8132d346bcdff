"""Rule: whether a receipt is what its issuer signed. No I/O: whoever asks brings the keys."""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct, ValidationError, convert

from llmring_core.canonical import NotCanonical, canonical
from llmring_core.receipts.errors import BadReceipt, BadSignature
from llmring_core.receipts.flat import is_full
from llmring_core.receipts.historic import SignedShape, flat_bytes, nested_bytes, shape_of
from llmring_core.receipts.model import PublicKey, Receipt
from llmring_core.receipts.signing import verify
from llmring_core.receipts.statements import statement_in


class Verdict(Struct, frozen=True, kw_only=True):
    valid: bool
    reason: str | None  # why not
    key_id: str | None  # whose signature it is
    full: bool | None = None  # of a flat one: whether its content is signed as it is; None: never


def bytes_signed(document: dict[str, object]) -> tuple[SignedShape, bytes]:
    """Return which shape ``document`` has, and what of it is signed.

    Raises: BadReceipt, NotCanonical.
    """
    shape = shape_of(document)
    if shape == "flat":
        return shape, flat_bytes(document)
    if shape == "nested":
        return shape, nested_bytes(document)
    if shape == "statement":
        statement_in(document)
    else:
        receipt_in(document)
    return shape, canonical(_unsigned(document))


def receipt_in(document: dict[str, object]) -> Receipt:
    """Read a receipt of version 2. Raises BadReceipt."""
    try:
        return convert(_unsigned(document), Receipt)
    except ValidationError as error:
        raise BadReceipt(f"this is no receipt of version 2: {error}") from error


def _unsigned(document: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in document.items() if name != "signature"}


def verified(document: dict[str, object], keys: Sequence[PublicKey]) -> Verdict:
    """Say whether one of ``keys`` signed ``document``, while it might."""
    try:
        shape, message = bytes_signed(document)
    except (BadReceipt, NotCanonical) as error:
        return _refused(document, str(error))
    named = document.get("key_id")
    candidates = [key for key in keys if named in (None, key.id)]
    if not candidates:
        return _refused(document, "it names a key that is not known")
    for key in candidates:
        try:
            verify(message, document.get("signature"), key.raw)
        except BadSignature as error:
            reason = str(error)
        else:
            late = _too_late(document, key)
            full = is_full(document, key.raw) if shape == "flat" else None
            full = full and late is None
            return Verdict(valid=late is None, reason=late, key_id=key.id, full=full)
    return _refused(document, reason)


def _refused(document: dict[str, object], reason: str) -> Verdict:
    full = False if "signature_v2" in document else None
    return Verdict(valid=False, reason=reason, key_id=None, full=full)


def _too_late(document: dict[str, object], key: PublicKey) -> str | None:
    """Tell why a key's signature does not count: it was revoked when the receipt says it was made.

    A receipt of ours states the server's time; whoever stole a key may state any. So what a revoked
    key signed is trusted only where the log had it before: that is for its proof to show.
    """
    if key.revoked_at is None:
        return None
    stated = document.get("issued_at", document.get("timestamp"))
    try:
        made = convert(stated, datetime)
    except ValidationError:
        made = None
    if made is not None and made.tzinfo is None:
        made = made.replace(tzinfo=UTC)
    if made is None or made >= key.revoked_at:
        return "its key was revoked before it was issued"
    return None
