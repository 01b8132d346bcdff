"""What was counted of the gateway, as Prometheus families."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily as Counter
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import HistogramMetricFamily as Histogram
from prometheus_client.core import Metric

from llmring_adapters.gateway.certifier import BufferedCertifier
from llmring_adapters.gateway.counts import GatewayCounts, Spread
from llmring_adapters.gateway.event_file import EventFile
from llmring_adapters.gateway.events_memory import MemoryEventBus
from llmring_app.measures import Measures
from llmring_app.prometheus import buckets
from llmring_app.runtime import collections, memory, running


def gateway_calls(counts: GatewayCounts) -> Iterator[Metric]:
    """What became of calls to providers. Labels are names of the configuration, and our own."""
    calls = Counter(
        "llmring_gateway_calls",
        "Calls to providers, by how they ended.",
        labels=["provider", "outcome"],
    )
    tokens = Counter(
        "llmring_gateway_tokens", "Tokens that calls consumed.", labels=["provider", "kind"]
    )
    dollars = Counter(
        "llmring_gateway_cost_usd", "What calls cost, where it is known.", labels=["provider"]
    )
    for provider, counted in counts.providers.items():
        for outcome, count in counted.outcomes.items():
            calls.add_metric([provider, outcome], count)
        for kind, count in counted.tokens.items():
            tokens.add_metric([provider, kind], count)
        dollars.add_metric([provider], float(counted.cost_usd))
    yield from (calls, tokens, dollars)
    yield _spread(
        "llmring_gateway_first_byte_seconds",
        "From asking a provider to the head of its answer.",
        {provider: counted.first_bytes for provider, counted in counts.providers.items()},
    )
    yield _spread(
        "llmring_gateway_call_duration_seconds",
        "From asking a provider to the end of its answer.",
        {provider: counted.durations for provider, counted in counts.providers.items()},
    )


def receipts_of_calls(certifier: BufferedCertifier) -> Iterator[Metric]:
    """What became of receipts that calls get by themselves."""
    yield Gauge(
        "llmring_gateway_receipts_waiting", "Calls that wait for a receipt.", certifier.waiting
    )
    yield Counter(
        "llmring_gateway_receipts_failed",
        "Calls whose receipts could not be issued at once.",
        certifier.failed,
    )


def events_told(bus: MemoryEventBus, file: EventFile | None) -> Iterator[Metric]:
    """What became of events."""
    yield Counter("llmring_events_published", "Events that somebody listened to.", bus.published)
    taken = Counter("llmring_events_taken", "Events that a listener took.", labels=["listener"])
    dropped = Counter(
        "llmring_events_dropped", "Events a listener had no room for.", labels=["listener"]
    )
    for listener, counted in bus.counts.items():
        taken.add_metric([listener], counted.taken)
        dropped.add_metric([listener], counted.dropped)
    waiting = Gauge(
        "llmring_events_waiting", "Events that wait for a listener.", labels=["listener"]
    )
    for listener, count in bus.waiting.items():
        waiting.add_metric([listener], count)
    yield from (taken, dropped, waiting)
    if file is not None:
        yield Counter("llmring_event_file_lines", "Events written to the file.", file.written)
        yield Counter("llmring_event_file_lost", "Events that could not be written.", file.lost)


def historic(measures: Measures) -> Iterator[Metric]:
    """The series that dashboards of other gateways ask for, by their names."""
    uptime_s = measures.uptime_s
    yield Gauge("llm_proxy_uptime_seconds", "Time since the server started", uptime_s)
    gateway, cache = measures.gateway, measures.cache
    for name, what, count in (
        ("requests", "Total number of proxy requests", gateway.answers),
        ("errors", "Total number of proxy errors", gateway.errors),
        ("cache_hits", "Total number of cache hits", cache.hits),
        ("cache_misses", "Total number of cache misses", cache.misses),
        ("cache_bypass", "Total number of cache bypasses", cache.bypasses),
        ("cache_stores", "Total number of cache stores", cache.stores),
        ("gc_runs", "Runs of Python's cycle collector", collections()),
    ):
        yield Counter(f"llm_proxy_{name}", what, count)
    paused_s = measures.pauses.seconds
    yield Gauge("llm_proxy_gc_pause_total_seconds", "Time those runs took", paused_s)
    yield Gauge("llm_proxy_goroutines", "Threads, and tasks of the event loop", running())
    found = memory()
    if found is not None:
        resident, private = found
        yield Gauge("llm_proxy_memory_sys_bytes", "Memory in use, all of it", resident)
        for name in ("alloc", "inuse"):
            what = "Memory in use that no file backs"
            yield Gauge(f"llm_proxy_memory_heap_{name}_bytes", what, private)


def _spread(name: str, what: str, spreads: dict[str, Spread]) -> Metric:
    family = Histogram(name, what, labels=["provider"])
    for provider, spread in spreads.items():
        family.add_metric([provider], buckets(spread.bounds, spread.within), spread.total)
    return family
