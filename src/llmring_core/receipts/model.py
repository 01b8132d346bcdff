"""The receipt: what one call consumed and cost, so that anybody can check it later."""

from datetime import datetime
from typing import Annotated, Literal, NewType, TypeAlias

from msgspec import Meta, Struct

from llmring_core.ids import ProjectId
from llmring_core.receipts.historic import Shape, document_of
from llmring_core.usage import CostStatus, RateLine, UsageSource

ReceiptId = NewType("ReceiptId", str)  # as its issuer named it; ours are "rcpt_" and a UUIDv7
KeyId = NewType("KeyId", str)

KeyStatus: TypeAlias = Literal["active", "retired", "revoked"]


Count: TypeAlias = Annotated[int, Meta(ge=0)]
Amount: TypeAlias = Annotated[str, Meta(pattern=r"\A(0|[1-9][0-9]*)(\.[0-9]*[1-9])?\Z")]


class Usage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tokens as disjoint counts, and who counted them."""

    input_uncached: Count
    input_cache_read: Count
    input_cache_write_5m: Count
    input_cache_write_1h: Count
    output: Count  # without reasoning
    output_reasoning: Count
    source: UsageSource


class Cost(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the call cost: the sum of ``lines``, unless the caller said another amount."""

    amount: Amount | None  # decimal US dollars; None: no price known
    currency: Literal["USD"]
    status: CostStatus
    rounding: Literal["half-even-12"]  # of the sum of the lines, once
    lines: tuple[RateLine, ...]  # of the registry's price


class Registry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The price list used."""

    version: str
    digest: str  # SHA-256, 64 hex digits


class Receipt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Our own receipt. Amounts are decimal strings and counts below 2^53: its JSON has one form."""

    type: Literal["llmring.receipt"]
    v: Literal[2]
    id: ReceiptId
    project: ProjectId
    seq: int  # 1, 2, 3, ... within the project, without a gap
    issued_at: str  # this server's clock, RFC 3339 in UTC
    key_id: KeyId
    provider: str
    model: str
    alias: str | None
    profile: str
    lock_digest: str | None
    usage_id: str | None  # of the ledger's record, where it is about one
    called_at: str  # RFC 3339 in UTC
    usage: Usage
    cost: Cost
    registry: Registry | None  # None: no price known


class StoredReceipt(Struct, frozen=True, kw_only=True):
    """A receipt as it was signed, and where the log has it."""

    id: ReceiptId
    shape: Shape
    seq: int | None  # of our own
    body: str  # exactly what is signed: RFC 8785, without the signature
    signature: str
    loose: str | None  # JSON object of members that a flat receipt does not sign
    stored_at: datetime  # UTC
    leaf: str  # its entry in the transparency log
    salt: bytes  # opens that entry

    @property
    def document(self) -> str:
        """Return the receipt as it is served."""
        return document_of(self.body, self.loose, self.signature)


class PublicKey(Struct, frozen=True, kw_only=True):
    """A key that receipts were, are or will be signed with."""

    id: KeyId
    raw: bytes  # 32 bytes, Ed25519
    not_before: datetime  # UTC
    retired_at: datetime | None  # UTC; it signs nothing from then on
    revoked_at: datetime | None  # UTC; what it signed from then on is not to be trusted

    @property
    def status(self) -> KeyStatus:
        if self.revoked_at is not None:
            return "revoked"
        return "active" if self.retired_at is None else "retired"
