"""Our SDK against the real server, and against one that misbehaves."""

from decimal import Decimal

import httpx
import pytest

from llmring_client import LLMRingClient
from llmring_core.errors import Invalid, Unauthenticated, Unavailable
from tests.integration.server import RunningServer

CENT = Decimal("0.010000000001")


def client_of(server: RunningServer, key: str = "") -> LLMRingClient:
    return LLMRingClient(server.url, key or server.tenant().key)


async def test_logs_a_call_at_the_registrys_price(server: RunningServer) -> None:
    async with client_of(server) as client:
        logged = await client.log_usage(
            "openai", "gpt-4o-mini", input_tokens=1000, output_tokens=200
        )

    assert (logged.cost, logged.cost_status) == (Decimal("0.00027"), "registry")


async def test_lists_every_page_once_and_sums_to_the_last_digit(server: RunningServer) -> None:
    async with client_of(server) as client:
        for number in range(501):
            await client.log_usage(
                "p", "m", input_tokens=number, output_tokens=1, cost=CENT, origin="sdk"
            )
        calls = [call async for call in client.list_usage(origin="sdk")]
        stats = await client.stats(group_by="month")

    assert [call.input_tokens for call in calls] == list(range(500, -1, -1))
    assert stats.summary.total_cost == sum(call.cost or 0 for call in calls) == 501 * CENT
    assert stats.by_origin["sdk"].cost == stats.by_period[0].cost == 501 * CENT


async def test_an_unpriced_call_has_no_cost(server: RunningServer) -> None:
    async with client_of(server) as client:
        logged = await client.log_usage("p", "nobody", input_tokens=1, output_tokens=1)
        (call,) = [call async for call in client.list_usage()]

    assert logged.cost is None and call.cost is None


async def test_errors_are_the_families_of_the_core_and_name_the_field(
    server: RunningServer,
) -> None:
    async with client_of(server) as client:
        with pytest.raises(
            Invalid, match="input_tokens: Input should be greater than or equal to 0"
        ):
            await client.log_usage("p", "m", input_tokens=-1, output_tokens=1)
        with pytest.raises(Invalid, match="tz: must be an IANA time zone"):
            await client.stats(tz="Nowhere")


async def test_without_a_key_nobody_gets_in(server: RunningServer) -> None:
    async with LLMRingClient(server.url, "") as client:
        with pytest.raises(Unauthenticated):
            await client.stats()


async def test_a_passing_failure_is_tried_again_with_the_same_key() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Idempotency-Key"])
        if len(seen) == 1:
            raise httpx.ReadError("cut")
        if len(seen) < 4:
            return httpx.Response(503, headers={"Retry-After": "0"})
        body = {"log_id": "1", "cost": "0.1", "timestamp": "2026-11-20T00:00:00Z"}
        return httpx.Response(200, json=body | {"cost_status": "registry"})

    async with LLMRingClient("http://x", "k", httpx.MockTransport(answer)) as client:
        logged = await client.log_usage("p", "m", input_tokens=1, output_tokens=1)

    assert logged.log_id == "1"
    assert len(seen) == 4 and len(set(seen)) == 1


async def test_a_failure_that_stays_is_reported_with_its_code() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        problem = {"detail": "the database is away", "code": "store-unavailable"}
        return httpx.Response(503, headers={"Retry-After": "0"}, json=problem)

    async with LLMRingClient("http://x", "k", httpx.MockTransport(answer)) as client:
        with pytest.raises(Unavailable, match="the database is away") as failure:
            await client.stats()

    assert failure.value.__notes__ == ["code store-unavailable, request unknown"]


async def test_a_proxys_page_is_no_crash() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(404, text="<html>nginx</html>")

    async with LLMRingClient("http://x", "k", httpx.MockTransport(answer)) as client:
        with pytest.raises(Exception, match="the server answered 404"):
            await client.stats()
