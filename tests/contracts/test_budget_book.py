"""What every BudgetBook promises, on every backend."""

from datetime import timedelta
from decimal import Decimal

import pytest

from llmring_adapters.transactions.all_work import AllWork
from llmring_core.gateway import (
    MOST_TOKENS,
    MOST_USD,
    Budget,
    BudgetUsedUp,
    Hold,
    Limits,
)
from llmring_core.ids import HoldId
from llmring_core.money import MAX_RECORD_USD, QUANTUM
from llmring_core.transactions import Begin
from tests.builders.gateway import HOLD, HOUR, TOKEN, hold
from tests.builders.kernel import MICROSECOND, NOON, P1, P2

NOTHING = Decimal(0)


async def limit(begin: Begin[AllWork], **limits: Limits) -> None:
    async with begin() as work:
        if "token" in limits:
            await work.budgets.limit(TOKEN.id, limits["token"])
        if "project" in limits:
            await work.budgets.limit(P1, limits["project"])


async def holds(begin: Begin[AllWork], *wanted: Hold) -> list[bool]:
    """Hold each by itself, and return for which there was room."""
    outcomes = []
    for one in wanted:
        try:
            async with begin() as work:
                await work.budgets.hold(one)
        except BudgetUsedUp:
            outcomes.append(False)
        else:
            outcomes.append(True)
    return outcomes


async def settle(begin: Begin[AllWork], id: HoldId, usd: Decimal, tokens: int) -> bool:
    async with begin() as work:
        return await work.budgets.settle(id, usd, tokens)


async def lapse(begin: Begin[AllWork], after: timedelta) -> int:
    async with begin() as work:
        return await work.budgets.lapse(NOON + after)


async def budgets(begin: Begin[AllWork]) -> dict[str, Budget]:
    async with begin() as work:
        return await work.budgets.of([TOKEN.id, P1, P2])


def budget(limits: Limits, spent: tuple[str, int], held: tuple[str, int]) -> Budget:
    return Budget(
        limits=limits,
        spent_usd=Decimal(spent[0]),
        spent_tokens=spent[1],
        held_usd=Decimal(held[0]),
        held_tokens=held[1],
    )


class TestLimits:
    async def test_may_be_changed_and_what_is_spent_stays(self, begin: Begin[AllWork]) -> None:
        await limit(begin, token=Limits(max_tokens=5))
        await holds(begin, hold(1, tokens=3))
        await settle(begin, hold(1).id, Decimal("0.5"), 2)
        after = Limits(max_usd=MAX_RECORD_USD)
        await limit(begin, token=after)
        assert await budgets(begin) == {TOKEN.id: budget(after, ("0.5", 2), ("0", 0))}

    async def test_a_hold_without_a_budget_is_none(self, begin: Begin[AllWork]) -> None:
        assert await holds(begin, HOLD) == [True]
        assert await settle(begin, HOLD.id, NOTHING, 0) is False
        assert await budgets(begin) == {}


class TestHolding:
    @pytest.mark.parametrize("scope", ["token", "project"])
    async def test_never_holds_more_than_there_is(self, begin: Begin[AllWork], scope: str) -> None:
        await limit(begin, **{scope: Limits(max_usd=Decimal("1.5"), max_tokens=10)})
        wanted = [
            hold(1, usd=Decimal(1), tokens=1),
            hold(2, usd=Decimal("0.500000000001"), tokens=0),
            hold(3, usd=NOTHING, tokens=10),
            hold(4, usd=Decimal("0.5"), tokens=9),
            hold(5, usd=NOTHING, tokens=0),  # nothing is left, not even for nothing
        ]
        assert await holds(begin, *wanted) == [True, False, False, True, False]
        (found,) = (await budgets(begin)).values()
        assert (found.held_usd, found.held_tokens) == (Decimal("1.5"), 10)

    async def test_a_refusal_by_the_project_holds_nothing_of_the_token(
        self, begin: Begin[AllWork]
    ) -> None:
        both = Limits(max_tokens=10), Limits(max_tokens=2)
        await limit(begin, token=both[0], project=both[1])
        assert await holds(begin, hold(1, tokens=3), hold(2, tokens=2)) == [False, True]
        found = await budgets(begin)
        assert (found[TOKEN.id].held_tokens, found[P1].held_tokens) == (2, 2)

    async def test_another_projects_budget_is_none_of_it(self, begin: Begin[AllWork]) -> None:
        await limit(begin, project=Limits(max_tokens=0))
        assert await holds(begin, hold(1, project=P2)) == [True]

    async def test_holds_no_more_than_can_be_written_down(self, begin: Begin[AllWork]) -> None:
        await limit(begin, token=Limits())
        wanted = [hold(n, usd=MAX_RECORD_USD, tokens=10**18) for n in range(5)]
        assert await holds(begin, *wanted) == [True, True, True, True, False]


class TestSettling:
    async def test_counts_what_it_came_to_instead_of_what_was_held(
        self, begin: Begin[AllWork]
    ) -> None:
        limits = Limits(max_usd=Decimal(1), max_tokens=100)
        await limit(begin, token=limits, project=limits)
        await holds(begin, hold(1, usd=Decimal("0.9"), tokens=90), hold(2, usd=NOTHING, tokens=1))
        assert await settle(begin, hold(1).id, QUANTUM, 7) is True
        found = budget(limits, (str(QUANTUM), 7), ("0", 1))
        assert await budgets(begin) == {TOKEN.id: found, P1: found}

    async def test_happens_once(self, begin: Begin[AllWork]) -> None:
        await limit(begin, token=Limits(max_tokens=100))
        await holds(begin, HOLD)
        assert await settle(begin, HOLD.id, NOTHING, 5) is True
        before = await budgets(begin)
        assert await settle(begin, HOLD.id, NOTHING, 5) is False
        assert await budgets(begin) == before

    async def test_more_than_was_held_counts_and_leaves_nothing(
        self, begin: Begin[AllWork]
    ) -> None:
        await limit(begin, token=Limits(max_tokens=10))
        await holds(begin, HOLD)
        await settle(begin, HOLD.id, NOTHING, 1000)
        assert await holds(begin, hold(2, tokens=0)) == [False]

    async def test_of_a_budget_set_meanwhile_nothing_is_taken(self, begin: Begin[AllWork]) -> None:
        await limit(begin, token=Limits(max_tokens=10))
        await holds(begin, HOLD)
        await limit(begin, project=Limits(max_tokens=10))
        await settle(begin, HOLD.id, NOTHING, 5)
        found = await budgets(begin)
        assert (found[TOKEN.id].spent_tokens, found[P1].spent_tokens) == (5, 0)
        assert found[P1].held_tokens == 0

    async def test_sums_stop_where_they_could_not_be_written_down(
        self, begin: Begin[AllWork]
    ) -> None:
        await limit(begin, token=Limits())
        for number in range(6):
            await holds(begin, hold(number, usd=NOTHING, tokens=0))
            assert await settle(begin, hold(number).id, MAX_RECORD_USD, 10**18) is True
        found = (await budgets(begin))[TOKEN.id]
        assert (found.spent_usd, found.spent_tokens) == (MOST_USD, MOST_TOKENS)


class TestRenewing:
    async def test_holds_longer_what_is_still_held(self, begin: Begin[AllWork]) -> None:
        await limit(begin, token=Limits(max_tokens=10))
        await holds(begin, hold(1), hold(2), hold(3))
        async with begin() as work:
            await work.budgets.renew([hold(1).id, hold(2).id, hold(4).id], NOON + 2 * HOUR)
        assert [await lapse(begin, HOUR), await lapse(begin, 2 * HOUR)] == [1, 2]

    async def test_what_has_lapsed_is_not_held_again(self, begin: Begin[AllWork]) -> None:
        await limit(begin, token=Limits(max_tokens=10))
        await holds(begin, HOLD)
        await lapse(begin, HOUR)
        async with begin() as work:
            await work.budgets.renew([HOLD.id], NOON + 2 * HOUR)
        assert await lapse(begin, 2 * HOUR) == 0
        assert (await budgets(begin))[TOKEN.id].held_tokens == 0


class TestLapsing:
    async def test_lets_go_of_what_was_held_too_long(self, begin: Begin[AllWork]) -> None:
        limits = Limits(max_usd=Decimal(1), max_tokens=10)
        await limit(begin, token=limits, project=limits)
        later = hold(2, tokens=4, lapses_at=NOON + HOUR + MICROSECOND)
        await holds(begin, hold(1, tokens=6), later)
        assert [await lapse(begin, HOUR - MICROSECOND), await lapse(begin, HOUR)] == [0, 1]
        assert await lapse(begin, HOUR) == 0
        found = budget(limits, ("0", 0), (str(later.usd), 4))
        assert await budgets(begin) == {TOKEN.id: found, P1: found}

    async def test_a_lapsed_hold_is_settled_once_all_the_same(self, begin: Begin[AllWork]) -> None:
        limits = Limits(max_tokens=10)
        await limit(begin, project=limits)
        await holds(begin, HOLD)
        await lapse(begin, HOUR)
        assert await settle(begin, HOLD.id, Decimal(1), 5) is True
        assert await settle(begin, HOLD.id, Decimal(1), 5) is False
        assert await budgets(begin) == {P1: budget(limits, ("1", 5), ("0", 0))}
