"""Rule: what a call costs at today's prices, and the correction that says so.

Records are never edited. A correction is a record of its own, booked when it is made: it carries
the difference, no tokens, and the id of the call. Corrections of one call form a chain.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from llmring_core.ids import UsageId
from llmring_core.money import MAX_RECORD_USD, total
from llmring_core.registry import Quote
from llmring_core.usage.model import Tokens, UsageRecord
from llmring_core.usage.pricing import cost_usd, rate_lines


class Repricing(Struct, frozen=True, kw_only=True):
    """One call whose price has changed since it was priced last."""

    call: UsageRecord
    follows: UsageId  # the call, or its last correction
    old_usd: Decimal | None  # with its corrections; None: it had no price
    new_usd: Decimal
    quote: Quote

    @property
    def difference_usd(self) -> Decimal:
        return total([self.new_usd, -(self.old_usd or Decimal(0))])


def is_repriceable(record: UsageRecord) -> bool:
    """Tell whether the registry decides what ``record`` costs, and not its caller.

    What nobody knows the tokens of has no cost at any price; none is not the same as nothing.
    """
    is_known = record.usage_source != "missing"
    return record.kind == "call" and is_known and record.cost_status in ("registry", "unpriced")


def repricing_of(
    call: UsageRecord, corrections: Sequence[UsageRecord], quote: Quote | None
) -> Repricing | None:
    """Return how ``call`` changes at the price in ``quote``, None when it does not.

    ``corrections`` are those made so far, oldest first.
    """
    if quote is None or not is_repriceable(call):
        return None
    old = cost_with(call, corrections)
    new = cost_usd(rate_lines(call.tokens, quote.prices))
    if new == old or new > MAX_RECORD_USD:  # no record may cost that much
        return None
    follows = corrections[-1].id if corrections else call.id
    return Repricing(call=call, follows=follows, old_usd=old, new_usd=new, quote=quote)


def cost_with(call: UsageRecord, corrections: Sequence[UsageRecord]) -> Decimal | None:
    """Return what ``call`` costs in US dollars after ``corrections``, None without any price."""
    costs = [one.cost_usd for one in (call, *corrections) if one.cost_usd is not None]
    return total(costs) if costs else None


def adjustment(change: Repricing, *, id: UsageId, at: datetime) -> UsageRecord:
    """Return the record that corrects the call, made at ``at`` (UTC)."""
    return replace(
        change.call,
        id=id,
        at=at,
        kind="adjustment",
        tokens=Tokens(),
        cost_usd=change.difference_usd,
        cost_status="repriced",
        registry_cost_usd=change.new_usd,
        registry_version=change.quote.registry_version,
        registry_digest=change.quote.registry_digest,
        rates=rate_lines(change.call.tokens, change.quote.prices),
        latency_ms=None,
        metadata={},
        client_log_id=None,
        request_id=None,
        adjusts=change.call.id,
    )
