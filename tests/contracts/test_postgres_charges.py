"""Charging tokens with a statement each keeps what charging them in SQLAlchemy keeps."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from llmring_adapters.database import connect_postgres
from llmring_adapters.gateway.postgres_charges import PostgresCharges
from llmring_adapters.transactions.all_work import AllWork
from llmring_core.gateway import ChargeTogether, Taken, Token, TokenChange, Use
from llmring_core.transactions import Begin
from tests.builders.gateway import kept, token
from tests.builders.kernel import NOON, FakeClock
from tests.contracts.conftest import SCHEMA


@pytest.fixture
def backend() -> str:
    return "postgres"


@pytest.fixture
async def charges(
    migrated_postgres: str, begin: Begin[AllWork]
) -> AsyncIterator[list[PostgresCharges]]:
    """Two servers'."""
    connect, clock = partial(connect_postgres, migrated_postgres, SCHEMA), FakeClock()
    found = [PostgresCharges(connect, ChargeTogether(begin, clock), clock) for _ in range(2)]
    yield found
    for one in found:
        await one.close()


def uses(*tokens: Token) -> list[Use]:
    return [Use(token=one.id) for one in tokens]


def ends(taken: list[Taken]) -> list[str]:
    return [type(one.refusal).__name__ if one.refusal else "granted" for one in taken]


async def count_of(begin: Begin[AllWork], one: Token) -> int:
    async with begin() as work:
        found = await work.tokens.find(one.id)
    assert found is not None
    return found.request_count


async def test_many_servers_grant_exactly_what_there_is(
    charges: list[PostgresCharges], begin: Begin[AllWork]
) -> None:
    few, many = token(1, max_requests=100), token(2, max_requests=1000)
    await kept(begin, few, many)

    async def wanting(server: PostgresCharges) -> Counter[str]:
        found: Counter[str] = Counter()
        for _ in range(20):
            found.update(ends(await server([*uses(many), *uses(*[few] * 9)])))
        return found

    first, second = await asyncio.gather(*map(wanting, charges))

    assert first + second == Counter(granted=100 + 40, RequestsUsedUp=360 - 100)
    assert (await count_of(begin, few), await count_of(begin, many)) == (100, 40)


@pytest.mark.parametrize(
    ("settings", "ended"),
    [
        ({"max_requests": 2}, ["granted", "granted", "RequestsUsedUp"]),
        ({"max_per_minute": 2}, ["granted", "granted", "TooManyRequests"]),
        ({"expires_at": NOON}, ["ExpiredToken"] * 3),
        ({"is_active": False}, ["InactiveToken"] * 3),
        ({}, ["granted"] * 3),
    ],
)
async def test_whoever_came_first_is_granted_first(
    charges: list[PostgresCharges],
    begin: Begin[AllWork],
    settings: dict[str, Any],
    ended: list[str],
) -> None:
    await kept(begin, token(1, **settings), token(2))

    assert ends(await charges[0](uses(*[token(1)] * 3))) == ended
    assert ends(await charges[0](uses(token(2), token(3)))) == ["granted", "InactiveToken"]


async def test_a_revoked_token_is_refused_at_once(
    charges: list[PostgresCharges], begin: Begin[AllWork]
) -> None:
    await kept(begin, token(1, max_requests=9))
    assert ends(await charges[0](uses(token(1)))) == ["granted"]
    async with begin() as work:
        await work.tokens.change(token(1).id, TokenChange(is_active=False), NOON)

    assert ends(await charges[1](uses(token(1)))) == ["InactiveToken"]


async def test_a_minute_begins_with_its_first_request(
    charges: list[PostgresCharges], begin: Begin[AllWork]
) -> None:
    await kept(begin, token(1, max_per_minute=1))
    clock = charges[0]._clock
    assert isinstance(clock, FakeClock)

    assert ends(await charges[0](uses(token(1), token(1)))) == ["granted", "TooManyRequests"]
    clock.now = NOON + timedelta(seconds=60)
    assert ends(await charges[0](uses(token(1)))) == ["granted"]
