"""Tokens and budgets that many want at the same moment, on every backend: exactly what there is."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncEngine

from llmring_adapters.database import open_engine
from llmring_adapters.gateway.cached import cached_access
from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.transactions.sql import sql_transactions
from llmring_core.gateway import (
    Admission,
    BudgetUsedUp,
    HoldBudget,
    LapseHolds,
    Limits,
    RequestsUsedUp,
    SettleHold,
    TokenChange,
    TooManyRequests,
)
from llmring_core.ids import HoldId, ProjectId, TokenId
from llmring_core.transactions import Begin
from tests.builders.gateway import ADMISSION, SECRET, TOKEN, Admit, admitting, kept, token
from tests.builders.kernel import NOON, P1, FakeClock, ids
from tests.contracts.conftest import SCHEMA

CALLS = 400
LIMIT = 20


async def outcomes(calls: list[Awaitable[Any]]) -> Counter[str]:
    """Return how many of them ended how."""
    ended = await asyncio.gather(*calls, return_exceptions=True)
    return Counter(type(one).__name__ for one in ended)


def process(begin: Begin[AllWork], clock: FakeClock) -> Admit:
    """A way in as every server process has one."""
    return admitting(begin, clock, cached_access(begin))


Hold = Callable[[Admission, Decimal, int], Awaitable[HoldId | None]]


def holding(begin: Begin[AllWork], clock: FakeClock, prefix: int = 0) -> Hold:
    """Hold under an id of its own, and return that where anything is held."""
    hold_budget, new_id = HoldBudget(begin, LapseHolds(begin, clock), clock), ids(prefix)

    async def hold(admission: Admission, usd: Decimal, tokens: int) -> HoldId | None:
        id = HoldId(new_id())
        return id if await hold_budget(admission, id, usd, tokens) else None

    return hold


async def request_count(begin: Begin[AllWork]) -> int:
    async with begin() as work:
        found = await work.tokens.find(TOKEN.id)
    assert found is not None
    return found.request_count


class TestAdmitting:
    async def test_400_calls_of_a_token_for_100_are_exactly_100(
        self, begin: Begin[AllWork]
    ) -> None:
        await kept(begin, token(max_requests=100))
        processes = [process(begin, FakeClock()) for _ in range(4)]
        ended = await outcomes([processes[n % 4](SECRET) for n in range(CALLS)])
        assert ended == {"Admission": 100, RequestsUsedUp.__name__: 300}
        assert await request_count(begin) == 100

    async def test_so_are_those_of_a_token_for_100_a_minute(self, begin: Begin[AllWork]) -> None:
        clock = FakeClock()
        await kept(begin, token(max_per_minute=100))
        processes = [process(begin, clock) for _ in range(4)]
        for _ in range(2):
            ended = await outcomes([processes[n % 4](SECRET) for n in range(CALLS)])
            assert ended == {"Admission": 100, TooManyRequests.__name__: 300}
            clock.pass_by(timedelta(minutes=1))

    async def test_changes_meanwhile_take_no_count_back(self, begin: Begin[AllWork]) -> None:
        await kept(begin, token(max_requests=CALLS))
        admit = process(begin, FakeClock())

        async def change(limit: int) -> None:
            async with begin() as work:
                change = TokenChange(is_active=True, max_requests=CALLS + limit)
                await work.tokens.change(TOKEN.id, change, NOON)

        changes = [change(number) for number in range(20)]
        ended = await outcomes([*(admit(SECRET) for _ in range(100)), *changes])
        assert ended == {"Admission": 100, "NoneType": 20}
        assert await request_count(begin) == 100

    @pytest.mark.parametrize("backend", ["sqlite", "postgres"])  # memory is one process's
    async def test_servers_of_one_database_count_together(self, engine: AsyncEngine) -> None:
        url = engine.url.set(drivername=engine.url.get_backend_name())
        other = open_engine(url.render_as_string(hide_password=False), SCHEMA)
        try:
            begins = [sql_transactions(engine), sql_transactions(other)]
            await kept(begins[0], token(max_requests=100))
            servers = [process(begin, FakeClock()) for begin in begins]
            ended = await outcomes([servers[n % 2](SECRET) for n in range(CALLS)])
            assert ended == {"Admission": 100, RequestsUsedUp.__name__: 300}
            assert await request_count(begins[0]) == 100
        finally:
            await other.dispose()


class TestBudgets:
    async def test_calls_at_once_hold_no_more_than_there_is(self, begin: Begin[AllWork]) -> None:
        await kept(begin, TOKEN)
        async with begin() as work:
            await work.budgets.limit(TOKEN.id, Limits(max_usd=Decimal(10)))
            await work.budgets.limit(P1, Limits(max_tokens=7))
        holds = [holding(begin, FakeClock(), prefix) for prefix in range(4)]
        ended = await outcomes([holds[n % 4](ADMISSION, Decimal(1), 1) for n in range(40)])
        assert ended == {"str": 7, BudgetUsedUp.__name__: 33}

    async def test_holds_settled_and_lapsed_at_once_leave_nothing_held(
        self, begin: Begin[AllWork]
    ) -> None:
        clock = FakeClock()
        await kept(begin, TOKEN)
        async with begin() as work:
            for scope in (TOKEN.id, P1):
                await work.budgets.limit(scope, Limits(max_tokens=1000))
        hold, settle = holding(begin, clock), SettleHold(begin)
        held = [await hold(ADMISSION, Decimal(1), 2) for _ in range(20)]
        clock.pass_by(timedelta(hours=1))
        lapse = LapseHolds(begin, clock)
        await asyncio.gather(
            *(settle(one, Decimal(1), 1) for one in held * 2 if one),
            *(lapse() for _ in range(5)),
        )
        async with begin() as work:
            found = await work.budgets.of([TOKEN.id, P1])
        sums = {(one.spent_usd, one.spent_tokens, one.held_tokens) for one in found.values()}
        assert sums == {(Decimal(20), 20, 0)}

    async def test_what_a_crash_held_is_there_again_for_whoever_wants_it(
        self, begin: Begin[AllWork]
    ) -> None:
        clock = FakeClock()
        await kept(begin, TOKEN)
        async with begin() as work:
            await work.budgets.limit(P1, Limits(max_tokens=10))
        hold = holding(begin, clock)
        assert await hold(ADMISSION, Decimal(0), 10)
        assert await outcomes([hold(ADMISSION, Decimal(0), 1)]) == {BudgetUsedUp.__name__: 1}
        clock.pass_by(timedelta(hours=1))
        assert await hold(ADMISSION, Decimal(0), 10)


Step = tuple[str, int, int]
kinds = st.sampled_from(["hold", "settle", "release", "wait"])
steps = st.lists(st.tuples(kinds, st.integers(0, 9), st.integers(0, 9)), max_size=25)
numbers = count(1)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(happened=steps)
async def test_whatever_happens_spent_and_held_never_pass_the_limit(
    begin: Begin[AllWork], happened: list[Step]
) -> None:
    """As long as no call comes to more than was held for it."""
    number = next(numbers)
    scope, clock = TokenId(f"token {number}"), FakeClock()
    admission = replace(ADMISSION, token=scope, project=ProjectId(f"project {number}"))
    async with begin() as work:
        await work.budgets.limit(scope, Limits(max_tokens=LIMIT))
    hold, settle = holding(begin, clock, number), SettleHold(begin)
    under_way: list[tuple[HoldId, int]] = []
    spent = 0
    for kind, first, second in happened:
        if kind == "hold":
            with suppress(BudgetUsedUp):
                held = await hold(admission, Decimal(first), second)
                under_way += [(held, second)] if held else []
        elif kind == "wait":
            clock.pass_by(timedelta(seconds=20))
        elif under_way:
            id, most = under_way.pop(first % len(under_way))
            used = min(second, most) if kind == "settle" else 0
            assert await settle(id, Decimal(0), used)
            spent += used
        async with begin() as work:
            found = (await work.budgets.of([scope]))[scope]
        assert found.spent_tokens == spent
        assert 0 <= found.held_tokens <= sum(most for _, most in under_way)
        assert found.held_tokens + spent <= LIMIT
