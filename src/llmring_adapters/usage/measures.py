"""What is counted of calls on their way into the ledger: plain integers, added to as they pass."""

from bisect import bisect_left
from collections.abc import Iterable

from llmring_core.usage import UsageRecord

GROUP_BOUNDS = (1, 2, 5, 10, 25, 50, 100, 250, 500)  # calls in one transaction


class IntakeMeasures:
    """Counted since the process began."""

    __slots__ = ("calls", "groups", "overloads", "tokenless", "unpriced")

    def __init__(self) -> None:
        self.calls = 0  # committed
        self.unpriced = 0  # of these, those whose model had no price
        self.tokenless = 0  # of these, those of a priced model that name no tokens
        self.overloads = 0  # calls sent away because too many waited, or for too long
        self.groups = [0] * (len(GROUP_BOUNDS) + 1)  # transactions, by their number of calls

    def committed(self, records: Iterable[UsageRecord]) -> None:
        """Count the records of one transaction."""
        calls = 0
        for record in records:
            calls += 1
            if record.registry_version is None:
                self.unpriced += record.cost_status == "unpriced"
            elif not record.rates and record.kind == "call":
                self.tokenless += 1
        self.calls += calls
        self.groups[bisect_left(GROUP_BOUNDS, calls)] += 1
