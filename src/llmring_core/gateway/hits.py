"""One answer out of the cache becomes one record of the ledger, of a kind of its own."""

from dataclasses import dataclass
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from llmring_core.clock import Clock
from llmring_core.gateway.caching import StoredAnswer
from llmring_core.gateway.forwarding import Call, is_recorded
from llmring_core.gateway.forwarding.attempts import MAX_TEXT, storable
from llmring_core.gateway.ports import Tally
from llmring_core.ids import NewId, ProjectId, TokenId, UsageId
from llmring_core.money import plain
from llmring_core.registry import CurrentRegistry, Quote
from llmring_core.usage import (
    Entry,
    JsonObject,
    Tokens,
    UsageIntake,
    UsageRecord,
    UsageToLog,
    cost_usd,
    rate_lines,
    recorded,
)


class Hit(Struct, frozen=True, kw_only=True):
    """A call that the cache answers."""

    project: ProjectId
    token: TokenId
    call: Call
    answer: StoredAnswer
    status: int  # 200, or 304 to a caller that has the answer
    latency_ms: int
    request_id: str


@dataclass(frozen=True, slots=True)
class RecordHit:
    """Append a hit to its project's ledger: it consumed nothing, and says what it saved."""

    intake: UsageIntake
    tally: Tally
    registry: CurrentRegistry
    clock: Clock
    new_id: NewId

    async def __call__(self, hit: Hit) -> UsageRecord | None:
        """Return its record once that is committed; None: a call of that kind never has one.

        Raises TotalsOverflow, Overloaded, StoreUnavailable.
        """
        now = self.clock()
        record = None
        if is_recorded(hit.call.method, hit.call.model):
            quote = self.registry.quote(hit.call.provider.name, hit.call.model or "")
            call = _call_of(hit, _saved_usd(hit.answer.tokens, quote))
            id = UsageId(self.new_id())
            record = recorded(hit.project, call, None, id=id, at=now, request_id=hit.request_id)
            record = _free(record, quote)
            await self.intake.take(Entry(record=record, answers=(), taken_at=now))
        self.tally.add_hit(hit.token, now)
        return record


def _call_of(hit: Hit, saved_usd: Decimal | None) -> UsageToLog:
    tokens = hit.answer.tokens
    metadata: JsonObject = {
        "endpoint": hit.call.endpoint[:MAX_TEXT],
        "gateway_token_id": hit.token,
        "status": hit.status,
        "saved_usd": None if saved_usd is None else plain(saved_usd),
        "saved_tokens": None if tokens is None else tokens.total,
    }
    return UsageToLog(
        provider=hit.call.provider.name,
        model=storable(hit.call.model),
        tokens=Tokens(),
        latency_ms=hit.latency_ms,
        metadata=metadata,
    )


def _free(record: UsageRecord, quote: Quote | None) -> UsageRecord:
    """Return what a call becomes that costs nothing, whatever its model's price is."""
    return replace(
        record,
        kind="cache_hit",
        usage_source="provider",
        cost_usd=Decimal(0),
        cost_status="registry",
        registry_cost_usd=Decimal(0),
        registry_version=quote.registry_version if quote else None,
        registry_digest=quote.registry_digest if quote else None,
    )


def _saved_usd(tokens: Tokens | None, quote: Quote | None) -> Decimal | None:
    """Return what the same call would cost today; None: nobody knows."""
    if tokens is None or quote is None:
        return None
    return cost_usd(rate_lines(tokens, quote.prices))
