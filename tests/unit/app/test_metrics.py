"""Who is shown ``/metrics``, and that counting has an end."""

import pytest
from httpx import ASGITransport, AsyncClient, Response
from litestar import Litestar

from llmring_http.measures import MAX_COUNTERS, UNKNOWN, RequestMeasures
from llmring_http.metrics import Figures, Metrics, metrics_routes

FIGURES = Figures(
    uptime_seconds=1.5,
    request_count=6,
    error_count=5,
    cache_hits=4,
    cache_misses=3,
    cache_bypass=2,
    cache_stores=1,
)
TEXT = b"up 1\n"


async def shown(path: str, address: str = "127.0.0.1", **headers: str) -> Response:
    """Return what a caller from ``address`` gets, when there is no token."""
    routes = metrics_routes(Metrics(lambda: TEXT, lambda: FIGURES), None)
    app = Litestar([*routes], openapi_config=None)
    transport = ASGITransport(app=app, client=(address, 40_000))  # type: ignore[arg-type]
    async with AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path, headers=headers)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "10.1.2.3", "172.31.0.9", "192.168.7.7", "fd00::7", "::ffff:10.1.2.3"],
)
async def test_callers_of_a_private_network_are_shown_them(address: str) -> None:
    for path in ("/metrics", "/metrics/prometheus"):
        assert (await shown(path, address)).status_code == 200


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "::ffff:8.8.8.8", "2606:4700::1111", "2001:0:102::1", "100.64.0.1", "", "unix"],
)
async def test_nobody_else_learns_that_there_are_any(address: str) -> None:
    for path in ("/metrics", "/metrics/prometheus"):
        assert (await shown(path, address, Accept="application/json")).status_code == 404


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/json;q=inf",
        "application/json, text/plain, */*",
    ],
)
async def test_who_asks_for_json_gets_the_figures_of_the_gateway(accept: str) -> None:
    answer = await shown("/metrics", Accept=accept)

    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "uptime_seconds": 1.5,
        "request_count": 6,
        "error_count": 5,
        "cache_hits": 4,
        "cache_misses": 3,
        "cache_bypass": 2,
        "cache_stores": 1,
    }


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/html, */*;q=0.8",
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
        "text/plain, application/json",
        "application/jsonp",
        ",;=",
    ],
)
async def test_everybody_else_gets_text(accept: str) -> None:
    answer = await shown("/metrics", Accept=accept)

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.content == TEXT


async def test_the_path_for_scrapers_is_always_text() -> None:
    assert (await shown("/metrics/prometheus", Accept="application/json")).content == TEXT


def test_counters_have_an_end_and_nothing_goes_uncounted() -> None:
    measures = RequestMeasures()

    for number in range(MAX_COUNTERS):
        measures.add("GET", f"/{number}", 200, 0.1)
        measures.add(f"MADE-UP-{number}", f"/{number}", 404, 0.1)

    assert sum(measures.counts.values()) == 2 * MAX_COUNTERS
    assert len(measures.counts) <= MAX_COUNTERS + 2
    assert {method for method, _, _ in measures.counts} == {"GET", UNKNOWN}


def test_a_duration_falls_into_the_first_bound_it_does_not_exceed() -> None:
    measures = RequestMeasures()

    for seconds in (0.0, 0.001, 0.0011, 5.0, 6.0):
        measures.add("GET", "/a", 200, seconds)

    within = measures.durations["/a"].within
    assert (within[0], within[1], within[-2], within[-1]) == (2, 1, 1, 1)
