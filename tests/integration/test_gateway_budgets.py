"""Budgets of forwarded calls: held before a call goes out, settled by what it came to."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec import json

from llmring_core.gateway import Limits
from llmring_core.gateway.metering import meter_for
from llmring_core.ids import TokenId
from tests.builders.gateway import token
from tests.builders.kernel import P1
from tests.integration.gateway import Gateway, dechunked, error_of, gateway, post, split, until
from tests.integration.upstream import END, STREAM_HEAD, Sent, always, chunk, upstream, whole

MODEL = "gpt-4o-mini"  # 0.15 and 0.60 dollars per million tokens
BODY = json.encode({"model": MODEL, "max_tokens": 100, "messages": []})
MOST = len(BODY) + 100  # tokens
USAGE = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
ANSWER = whole(json.encode({"object": "chat.completion", "choices": [], "usage": USAGE}))


async def limit(server: Gateway, scope: str, **limits: object) -> None:
    async with server.container.begin()() as work:
        await work.budgets.limit(TokenId(scope), Limits(**limits))


async def spent(server: Gateway, scope: str) -> tuple[Decimal, int, Decimal, int]:
    """What is spent and what is held, each in dollars and tokens."""
    async with server.container.read()() as work:
        budget = (await work.budgets.of([TokenId(scope)]))[scope]
    return budget.spent_usd, budget.spent_tokens, budget.held_usd, budget.held_tokens


async def test_a_call_counts_what_it_came_to(tmp_path: Path) -> None:
    async with (
        upstream(always(ANSWER)) as provider,
        gateway(tmp_path, provider.url, meters=meter_for) as server,
    ):
        await limit(server, P1, max_usd=Decimal(1))
        await limit(server, token(1).id, max_tokens=1000)
        status, _, _ = split(await server.raw(post(BODY)))
        [record] = await server.records()

        assert (status, record.tokens.total) == (200, 30)
        assert await spent(server, P1) == (record.cost_usd, 30, 0, 0)
        assert await spent(server, token(1).id) == (record.cost_usd, 30, 0, 0)


async def test_calls_at_the_same_time_never_promise_the_same_token_twice(tmp_path: Path) -> None:
    busy = asyncio.Event()

    async def answer(_: Sent, writer: asyncio.StreamWriter) -> None:
        await busy.wait()
        writer.write(ANSWER)

    async with (
        upstream(answer) as provider,
        gateway(tmp_path, provider.url, meters=meter_for) as server,
    ):
        await limit(server, P1, max_tokens=3 * MOST)
        calls = [asyncio.create_task(server.raw(post(BODY))) for _ in range(10)]

        async def all_others_refused() -> bool:
            return sum(call.done() for call in calls) == 7

        await until(all_others_refused)
        _, _, _, held = await spent(server, P1)
        busy.set()
        answers = await asyncio.gather(*calls)

        refused = [answer for answer in answers if split(answer)[0] != 200]
        assert held == 3 * MOST
        assert len(provider.sent) == 3
        assert [(split(one)[0], error_of(one)["code"]) for one in refused] == [
            (429, "insufficient_quota")
        ] * 7
        assert await spent(server, P1) == (
            Decimal(3) * (await server.records())[0].cost_usd,
            90,
            0,
            0,
        )


@pytest.mark.parametrize(
    ("body", "limits", "status", "code"),
    [
        ({"model": "nobody-prices-this"}, {"max_usd": Decimal(1)}, 422, "price_unknown"),
        ({"model": "nobody-prices-this"}, {"max_tokens": 100_000}, 200, None),
        ({"model": MODEL}, {"max_usd": Decimal("0.001")}, 429, "insufficient_quota"),
        ({"model": MODEL, "max_tokens": 100}, {"max_usd": Decimal("0.001")}, 200, None),
    ],
)
async def test_what_cannot_be_kept_within_a_budget_is_not_sent(
    tmp_path: Path,
    body: dict[str, object],
    limits: dict[str, object],
    status: int,
    code: str | None,
) -> None:
    async with (
        upstream(always(ANSWER)) as provider,
        gateway(tmp_path, provider.url, meters=meter_for) as server,
    ):
        await limit(server, P1, **limits)
        answer = await server.raw(post(json.encode(body)))

        assert split(answer)[0] == status
        assert len(provider.sent) == (status == 200)
        if code is not None:
            assert error_of(answer)["code"] == code
            assert (await spent(server, P1))[2:] == (0, 0)


async def test_nothing_is_held_any_more_for_what_failed(tmp_path: Path) -> None:
    async with (
        upstream(always(b"no HTTP\r\n\r\n", cut=True)) as provider,
        gateway(tmp_path, provider.url, meters=meter_for) as server,
    ):
        await limit(server, P1, max_usd=Decimal(1))
        assert split(await server.raw(post(BODY)))[0] == 502
        assert await spent(server, P1) == (0, 0, 0, 0)


async def test_a_stream_that_tells_no_usage_is_counted_here(tmp_path: Path) -> None:
    part = b'data: {"choices":[{"index":0,"delta":{"content":"Hello world"}}]}\n\n'
    sent = json.encode(
        {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    )
    answer = STREAM_HEAD + chunk(part) + chunk(b"data: [DONE]\n\n") + END
    async with (
        upstream(always(answer)) as provider,
        gateway(tmp_path, provider.url, meters=meter_for) as server,
    ):
        body = split(await server.raw(post(sent)))[2]
        [record] = await server.records()

    assert dechunked(body)[1]
    assert record.usage_source == "estimated"
    assert (record.tokens.input_uncached, record.tokens.output) == (1 + 3 + 3, 2)
    assert record.cost_status == "registry"
