"""Everything this process counts, where ``metrics`` finds it."""

from dataclasses import dataclass, field

from llmring_adapters.database import Outages
from llmring_adapters.gateway.cache_counts import CacheCounts
from llmring_adapters.usage.measures import IntakeMeasures
from llmring_http.measures import RequestMeasures


@dataclass(slots=True)
class Measures:
    requests: RequestMeasures = field(default_factory=RequestMeasures)
    intake: IntakeMeasures = field(default_factory=IntakeMeasures)
    outages: Outages = field(default_factory=Outages)
    cache: CacheCounts = field(default_factory=CacheCounts)  # the gateway's, of answers
    refreshes: int = 0  # of the registry
    failed_refreshes: int = 0
