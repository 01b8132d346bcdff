"""What was counted, as Prometheus text: made when somebody asks, so counting costs an addition."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily as Counter
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import HistogramMetricFamily as Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from llmring_adapters.group_commit import GROUP_BOUNDS
from llmring_adapters.usage.measures import IntakeMeasures
from llmring_app.container import Container
from llmring_app.gateway_metrics import (
    events_told,
    gateway_calls,
    historic,
    receipts_of_calls,
)
from llmring_app.measures import Measures
from llmring_app.prometheus import buckets
from llmring_core import __version__
from llmring_http.measures import BOUNDS_S, RequestMeasures
from llmring_http.metrics import Figures


def exposition(container: Container) -> bytes:
    """Return everything that is measured in this process, in the text format 0.0.4."""
    registry = CollectorRegistry()
    registry.register(_Families(container))
    ProcessCollector(registry=registry)  # its memory, CPU, start and open files, on Linux
    return generate_latest(registry)


def figures(container: Container) -> Figures:
    """Return the few figures that other gateways show as JSON."""
    measures = container.measures()
    return Figures(
        uptime_seconds=measures.uptime_s,
        request_count=measures.gateway.answers,
        error_count=measures.gateway.errors,
        cache_hits=measures.cache.hits,
        cache_misses=measures.cache.misses,
        cache_bypass=measures.cache.bypasses,
        cache_stores=measures.cache.stores,
    )


class _Families(Collector):
    """Reads the counters; the registry asks it once for each text."""

    def __init__(self, container: Container) -> None:
        self._container = container

    def collect(self) -> Iterable[Metric]:
        measures = self._container.measures()
        yield from _requests(measures.requests)
        yield from _calls(measures.intake, self._container.intake().waiting)
        yield from _registry(self._container, measures)
        yield from gateway_calls(measures.gateway)
        yield from receipts_of_calls(self._container.certifier())
        yield from events_told(self._container.events(), self._container.event_file())
        yield from historic(measures)
        open_ones, lost = self._container.journal().open, measures.lost_attempts
        yield Gauge("llmring_gateway_attempts_open", "Calls to providers under way.", open_ones)
        yield Counter(
            "llmring_gateway_attempts_lost", "Calls under way in a crash, now closed.", lost
        )
        outages = measures.outages.count
        yield Counter(
            "llmring_database_failures", "Transactions the database did not carry out.", outages
        )
        both = self._container.redis(), self._container.cache_redis()
        failures = sum(redis.failures for redis in both if redis is not None)
        yield Counter("llmring_redis_failures", "Commands Redis did not carry out.", failures)
        about = Gauge("llmring_server_info", "The version that runs.", labels=["version"])
        about.add_metric([__version__], 1)
        yield about


def _requests(measures: RequestMeasures) -> Iterator[Metric]:
    counts = Counter(
        "llmring_http_requests",
        "Requests by method, route and status; none: the caller was gone.",
        labels=["method", "route", "status"],
    )
    for (method, route, status), count in measures.counts.items():
        counts.add_metric([method, route, str(status or "none")], count)
    yield counts
    durations = Histogram(
        "llmring_http_request_duration_seconds",
        "From the first byte of a request to the last of its answer.",
        labels=["route"],
    )
    for route, taken in measures.durations.items():
        durations.add_metric([route], buckets(BOUNDS_S, taken.within), taken.seconds)
    yield durations


def _calls(measures: IntakeMeasures, waiting: int) -> Iterator[Metric]:
    for name, what, count in (
        ("llmring_calls_logged", "Calls and corrections committed.", measures.calls),
        ("llmring_calls_unpriced", "Calls committed without a price.", measures.unpriced),
        ("llmring_calls_tokenless", "Priced calls that name no tokens.", measures.tokenless),
        ("llmring_calls_overloaded", "Calls sent away: too many waited.", measures.overloads),
    ):
        yield Counter(name, what, count)
    yield Gauge("llmring_calls_waiting", "Calls that wait for their commit.", waiting)
    sizes = Histogram("llmring_commit_calls", "Calls committed together.")
    sizes.add_metric([], buckets(GROUP_BOUNDS, measures.groups), measures.calls)
    yield sizes


def _registry(container: Container, measures: Measures) -> Iterator[Metric]:
    status, now = container.registry().status, container.clock()()
    age_s = status.age_s(now)
    yield Gauge("llmring_registry_age_seconds", "Since prices were last confirmed.", age_s)
    stale = int(status.stale)
    yield Gauge("llmring_registry_stale", "1: nobody vouches that prices are the newest.", stale)
    frozen = int(status.frozen)
    yield Gauge("llmring_registry_frozen", "1: it published nothing for suspiciously long.", frozen)
    refused = status.refusals
    yield Counter("llmring_registry_refusals", "Registry files that were not taken.", refused)
    tried, failed = measures.refreshes, measures.failed_refreshes
    yield Counter("llmring_registry_refreshes", "Refreshes of the price list.", tried)
    yield Counter("llmring_registry_refresh_failures", "Refreshes that left prices stale.", failed)
