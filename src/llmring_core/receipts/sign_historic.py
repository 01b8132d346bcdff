"""Receipts in the historic shapes for whoever states a call: checked, signed, and not kept.

One rule for both shapes: the registry must know the model's price, and a cost that is stated must
be that price. What is signed is the registry's amount, without the noise of somebody's floats.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from llmring_core.clock import Clock
from llmring_core.errors import InvalidField
from llmring_core.ids import NewSecret
from llmring_core.money import QUANTUM, plain
from llmring_core.receipts.flat import FlatReceipt, historic_id, sign_flat
from llmring_core.receipts.historic import document_of, nested_bytes
from llmring_core.receipts.key_history import check_in_force
from llmring_core.receipts.ports import ReceiptSigner, ReceiptsWork
from llmring_core.registry import CurrentRegistry, Quote
from llmring_core.text import check_name, check_text
from llmring_core.transactions import Begin
from llmring_core.usage import DEFAULT_PROFILE, MAX_COUNT, RateLine, Tokens, cost_usd, rate_lines

MAX_TEXT = 255  # characters
NO_CONTENT: dict[str, object] = {
    "receipt_type": "single",
    "batch_summary": None,
    "description": None,
    "tags": None,
}


class FlatToSign(Struct, frozen=True, kw_only=True):
    """What a flat receipt is to say. What is None is filled in. Raises InvalidField."""

    receipt_id: str | None
    timestamp: datetime | None
    alias: str
    profile: str | None
    lock_digest: str | None
    provider: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int | None
    input_cost_usd: Decimal | None
    output_cost_usd: Decimal | None
    total_cost_usd: Decimal | None

    def __post_init__(self) -> None:
        for name in ("alias", "profile", "lock_digest", "provider", "model"):
            check_text(name, getattr(self, name), MAX_TEXT)
        if self.receipt_id is not None:
            check_name("receipt_id", self.receipt_id, MAX_TEXT)
        if self.total > MAX_COUNT or self.total_tokens not in (None, self.total):
            raise InvalidField("total_tokens", "must be prompt_tokens and completion_tokens added")

    @property
    def total(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class NestedToSign(Struct, frozen=True, kw_only=True):
    """What a nested receipt is to say. What is None is filled in. Raises InvalidField."""

    id: str | None
    timestamp: datetime | None
    registry_version: str | None
    model: str  # provider:model
    alias: str
    profile: str | None
    lock_digest: str
    key_id: str | None
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    amount_usd: Decimal | None

    def __post_init__(self) -> None:
        for name in ("model", "alias", "profile", "lock_digest"):
            check_text(name, getattr(self, name), MAX_TEXT)
        if self.id is not None:
            check_name("id", self.id, MAX_TEXT)
        if ":" not in self.model:
            raise InvalidField("model", "must be provider:model")
        if self.cached_input_tokens > self.input_tokens:
            raise InvalidField("tokens", "cached_input must not exceed input")


@dataclass(frozen=True, slots=True)
class SignHistoric:
    """Sign a receipt of a historic shape for a call that its caller states. Nothing is stored."""

    begin: Begin[ReceiptsWork]
    signer: ReceiptSigner
    registry: CurrentRegistry
    clock: Clock
    new_secret: NewSecret

    async def __call__(self, wanted: FlatToSign | NestedToSign) -> str:
        """Return the receipt as JSON. Raises InvalidField, CannotSign."""
        async with self.begin() as work:
            check_in_force(await work.keys.all(), self.signer)
        if isinstance(wanted, FlatToSign):
            return self._flat(wanted)
        return self._nested(wanted)

    def _flat(self, wanted: FlatToSign) -> str:
        quote = self._quote(wanted.provider, wanted.model)
        tokens = Tokens(input_uncached=wanted.prompt_tokens, output=wanted.completion_tokens)
        lines = rate_lines(tokens, quote.prices)
        at = wanted.timestamp or self.clock()
        receipt = FlatReceipt(
            receipt_id=wanted.receipt_id or historic_id(self.new_secret()),
            timestamp=at.isoformat(),
            alias=wanted.alias,
            profile=wanted.profile or DEFAULT_PROFILE,
            lock_digest=wanted.lock_digest or "",
            provider=wanted.provider,
            model=wanted.model,
            prompt_tokens=wanted.prompt_tokens,
            completion_tokens=wanted.completion_tokens,
            total_tokens=wanted.total,
            input_cost=float(_agreed("input_cost", wanted.input_cost_usd, _of("input", lines))),
            output_cost=float(_agreed("output_cost", wanted.output_cost_usd, _of("output", lines))),
            total_cost=float(_agreed("total_cost", wanted.total_cost_usd, cost_usd(lines))),
        )
        return sign_flat(receipt, NO_CONTENT, self.signer).document

    def _nested(self, wanted: NestedToSign) -> str:
        provider, _, model = wanted.model.partition(":")
        quote = self._quote(provider, model)
        if wanted.key_id not in (None, self.signer.key_id):
            raise InvalidField("key_id", f"must be {self.signer.key_id}, the key in force")
        if wanted.registry_version not in (None, quote.registry_version):
            raise InvalidField("registry_version", f"must be {quote.registry_version}, the current")
        cached = wanted.cached_input_tokens
        tokens = Tokens(
            input_uncached=wanted.input_tokens - cached,
            input_cache_read=cached,
            output=wanted.output_tokens,
        )
        lines = rate_lines(tokens, quote.prices)
        at = wanted.timestamp or self.clock()
        document: dict[str, object] = {
            "id": wanted.id or historic_id(self.new_secret()),
            "timestamp": at.isoformat().replace("+00:00", "Z"),
            "registry_version": quote.registry_version,
            "model": wanted.model,
            "alias": wanted.alias,
            "profile": wanted.profile or DEFAULT_PROFILE,
            "lock_digest": wanted.lock_digest,
            "key_id": self.signer.key_id,
            "tokens": {
                "input": wanted.input_tokens,
                "output": wanted.output_tokens,
                "cached_input": cached,
            },
            "cost": {
                "amount": plain(_agreed("cost.amount", wanted.amount_usd, cost_usd(lines))),
                "calculation": _calculation(lines),
            },
        }
        body = nested_bytes(document)
        return document_of(body.decode(), None, self.signer.sign(body))

    def _quote(self, provider: str, model: str) -> Quote:
        quote = self.registry.quote(provider, model)
        if quote is None:
            raise InvalidField("model", "has no price in the registry to check its cost against")
        return quote


def _of(kind: str, lines: tuple[RateLine, ...]) -> Decimal:
    return cost_usd([line for line in lines if line.unit.startswith(kind)])


def _agreed(field: str, stated: Decimal | None, price: Decimal) -> Decimal:
    """Return ``price``, once what was stated differs from it by no more than floats err."""
    if stated is not None and abs(stated - price) > max(QUANTUM, price * QUANTUM):
        raise InvalidField(field, f"must be {plain(price)} US dollars, the registry's price")
    return price


def _calculation(lines: tuple[RateLine, ...]) -> str:
    terms = [f"{line.quantity}/{line.per}*{line.rate}" for line in lines]
    return " + ".join(terms) or "0"
