"""Who is shown ``/metrics``, and that counting has an end."""

import pytest
from httpx import ASGITransport, AsyncClient
from litestar import Litestar

from llmring_http.measures import MAX_COUNTERS, UNKNOWN, RequestMeasures
from llmring_http.metrics import metrics_route


async def status_for(address: str) -> int:
    """Return what a caller from ``address`` gets, when there is no token."""
    app = Litestar([metrics_route(lambda: b"up 1\n", None)], openapi_config=None)
    transport = ASGITransport(app=app, client=(address, 40_000))  # type: ignore[arg-type]
    async with AsyncClient(transport=transport, base_url="http://test") as client:
        return (await client.get("/metrics")).status_code


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "10.1.2.3", "172.31.0.9", "192.168.7.7", "fd00::7", "::ffff:10.1.2.3"],
)
async def test_callers_of_a_private_network_are_shown_them(address: str) -> None:
    assert await status_for(address) == 200


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "::ffff:8.8.8.8", "2606:4700::1111", "2001:0:102::1", "100.64.0.1", "", "unix"],
)
async def test_nobody_else_learns_that_there_are_any(address: str) -> None:
    assert await status_for(address) == 404


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
