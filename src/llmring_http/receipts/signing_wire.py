"""The JSON of receipts that are signed for whoever states a call, in both historic shapes."""

from datetime import datetime
from decimal import Decimal

from msgspec import Raw, Struct, field, json

from llmring_core.money import usd_from_number, usd_from_text
from llmring_core.receipts import FlatToSign, NestedToSign
from llmring_http.decoding import decode_body
from llmring_http.usage.wire import Count, UsdIn


class FlatBody(Struct, frozen=True, kw_only=True):
    """The members of a flat receipt. Unknown ones are ignored, a signature too."""

    alias: str
    provider: str
    model: str
    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count | None = None
    input_cost: UsdIn = field(default_factory=Raw)  # absent: the registry's price
    output_cost: UsdIn = field(default_factory=Raw)
    total_cost: UsdIn = field(default_factory=Raw)
    receipt_id: str | None = None
    timestamp: datetime | None = None
    profile: str | None = None
    lock_digest: str | None = None

    def wanted(self) -> FlatToSign:
        """Raises InvalidField."""
        return FlatToSign(
            receipt_id=self.receipt_id,
            timestamp=self.timestamp,
            alias=self.alias,
            profile=self.profile,
            lock_digest=self.lock_digest,
            provider=self.provider,
            model=self.model,
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            total_tokens=self.total_tokens,
            input_cost_usd=_usd("input_cost", self.input_cost),
            output_cost_usd=_usd("output_cost", self.output_cost),
            total_cost_usd=_usd("total_cost", self.total_cost),
        )


class NestedTokens(Struct, frozen=True, kw_only=True):
    input: Count  # cached or not
    output: Count
    cached_input: Count = 0


class NestedCost(Struct, frozen=True, kw_only=True):
    amount: UsdIn = field(default_factory=Raw)  # absent: the registry's price


class NestedBody(Struct, frozen=True, kw_only=True):
    """The members of a nested receipt. Unknown ones are ignored, a signature too."""

    model: str  # provider:model
    alias: str
    tokens: NestedTokens
    lock_digest: str
    cost: NestedCost | None = None
    id: str | None = None
    timestamp: datetime | None = None
    registry_version: str | None = None
    profile: str | None = None
    key_id: str | None = None

    def wanted(self) -> NestedToSign:
        """Raises InvalidField."""
        return NestedToSign(
            id=self.id,
            timestamp=self.timestamp,
            registry_version=self.registry_version,
            model=self.model,
            alias=self.alias,
            profile=self.profile,
            lock_digest=self.lock_digest,
            key_id=self.key_id,
            input_tokens=self.tokens.input,
            output_tokens=self.tokens.output,
            cached_input_tokens=self.tokens.cached_input,
            amount_usd=None if self.cost is None else _usd("cost.amount", self.cost.amount),
        )


class ShapeBody(Struct, frozen=True, kw_only=True):
    """What tells the shapes apart."""

    tokens: Raw = field(default_factory=Raw)  # of a nested one only


def to_sign(body: bytes, content_type: str | None) -> FlatToSign | NestedToSign:
    """Read a receipt of either shape. Raises Unprocessable, InvalidField."""
    if bytes(decode_body(body, content_type, ShapeBody).tokens):
        return decode_body(body, content_type, NestedBody).wanted()
    return decode_body(body, content_type, FlatBody).wanted()


def _usd(name: str, given: Raw) -> Decimal | None:
    literal = bytes(given)
    if literal in (b"", b"null"):
        return None
    if literal.startswith(b'"'):
        return usd_from_text(name, json.decode(literal, type=str))
    return usd_from_number(name, literal.decode())
