"""Everything this process counts, where ``metrics`` finds it."""

from dataclasses import dataclass, field
from time import monotonic

from llmring_adapters.database import Outages
from llmring_adapters.gateway.cache_counts import CacheCounts
from llmring_adapters.gateway.counts import GatewayCounts
from llmring_adapters.usage.measures import IntakeMeasures
from llmring_app.runtime import Pauses
from llmring_http.measures import RequestMeasures


@dataclass(slots=True)
class Measures:
    began: float = field(default_factory=monotonic)  # in seconds of that clock
    requests: RequestMeasures = field(default_factory=RequestMeasures)
    intake: IntakeMeasures = field(default_factory=IntakeMeasures)
    outages: Outages = field(default_factory=Outages)
    gateway: GatewayCounts = field(default_factory=GatewayCounts)
    cache: CacheCounts = field(default_factory=CacheCounts)  # the gateway's, of answers
    pauses: Pauses = field(default_factory=Pauses)
    refreshes: int = 0  # of the registry
    failed_refreshes: int = 0
    lost_attempts: int = 0  # calls of crashed servers that this one closed

    @property
    def uptime_s(self) -> float:
        return monotonic() - self.began
