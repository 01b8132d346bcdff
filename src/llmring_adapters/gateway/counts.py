"""What is counted of calls: plain figures, added to as they pass, formatted when asked for."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import astuple

from llmring_core.gateway.measuring import GatewayMeasures
from llmring_core.usage import AttemptStatus, Tokens

KINDS = Tokens.__struct_fields__
FAILED = 400  # the least status that tells of an error
FIRST_BYTE_BOUNDS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
DURATION_BOUNDS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)


class Spread:
    """How many values are up to each bound and above the one before it; and their sum."""

    __slots__ = ("bounds", "total", "within")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.total = 0.0
        self.within = [0] * (len(bounds) + 1)

    def add(self, value: float) -> None:
        self.total += value
        self.within[bisect_left(self.bounds, value)] += 1


class ProviderCounts:
    """What is counted of the calls to one provider."""

    __slots__ = ("cost_usd", "durations", "first_bytes", "outcomes", "tokens")

    def __init__(self) -> None:
        self.outcomes: Counter[AttemptStatus] = Counter()
        self.tokens: Counter[str] = Counter()  # by kind, a member of Tokens
        self.cost_usd = Decimal(0)
        self.first_bytes = Spread(FIRST_BYTE_BOUNDS_S)
        self.durations = Spread(DURATION_BOUNDS_S)


class GatewayCounts(GatewayMeasures):
    """Counted since the process began."""

    __slots__ = ("answers", "errors", "providers")

    def __init__(self) -> None:
        self.answers = 0
        self.errors = 0  # of these, those with a status from 400 on
        self.providers: defaultdict[str, ProviderCounts] = defaultdict(ProviderCounts)

    def answered(self, status: int) -> None:
        self.answers += 1
        self.errors += status >= FAILED

    def attempted(
        self,
        provider: str,
        outcome: AttemptStatus,
        *,
        tokens: Tokens,
        cost_usd: Decimal | None,
        first_byte_s: float | None,
        duration_s: float,
    ) -> None:
        counts = self.providers[provider]
        counts.outcomes[outcome] += 1
        for kind, count in zip(KINDS, astuple(tokens), strict=True):
            if count:
                counts.tokens[kind] += count
        counts.cost_usd += cost_usd or 0
        counts.durations.add(duration_s)
        if first_byte_s is not None:
            counts.first_bytes.add(first_byte_s)
