"""What is counted of calls on their way into the ledger: plain integers, added to as they pass."""

from collections.abc import Sequence

from llmring_adapters.group_commit import GroupMeasures
from llmring_core.usage import Entry


class IntakeMeasures(GroupMeasures[Entry]):
    """Counted since the process began."""

    __slots__ = ("calls", "tokenless", "unpriced")

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0  # committed
        self.unpriced = 0  # of these, those whose model had no price
        self.tokenless = 0  # of these, those of a priced model that name no tokens

    def committed(self, entries: Sequence[Entry]) -> None:
        super().committed(entries)
        self.calls += len(entries)
        for entry in entries:
            record = entry.record
            if record.registry_version is None:
                self.unpriced += record.cost_status == "unpriced"
            elif not record.rates and record.kind == "call":
                self.tokenless += 1
