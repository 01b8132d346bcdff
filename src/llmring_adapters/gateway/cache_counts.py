"""What became of calls as far as the cache goes, since the process began."""

from llmring_core.gateway.caching import CacheMeasures, Standing


class CacheCounts(CacheMeasures):
    __slots__ = ("bypasses", "hits", "misses", "stores")

    def __init__(self) -> None:
        self.hits = 0  # also those that were told they have it
        self.misses = 0  # calls that went to a provider
        self.bypasses = 0  # those of them whose caller wanted that
        self.stores = 0  # answers kept

    def count(self, standing: Standing) -> None:
        match standing:
            case "hit" | "conditional-hit":
                self.hits += 1
            case "stored" | "stored (forced)":
                self.stores += 1
            case "bypass":
                self.bypasses += 1
                self.misses += 1
            case "miss":
                self.misses += 1
