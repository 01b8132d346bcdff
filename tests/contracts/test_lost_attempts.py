"""A crash in the middle of calls, on every backend: nothing is lost silently, or held for good."""

from asyncio import gather
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

import pytest
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncEngine

from llmring_adapters.database import open_engine
from llmring_adapters.gateway.journal import BufferedJournal
from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.transactions.sql import sql_transactions
from llmring_adapters.usage.intake import DirectIntake, in_one_transaction
from llmring_core.gateway import HoldBudget, LapseHolds, Limits, SettleHold
from llmring_core.gateway.forwarding import RecordAttempt
from llmring_core.gateway.journal import LEASE, StartedAttempt
from llmring_core.gateway.lost_attempts import CloseLostAttempts
from llmring_core.ids import HoldId, UsageId
from llmring_core.transactions import Begin
from llmring_core.usage import DuplicateUsage, Tokens, UsageRecord
from llmring_core.usage.repricing import repricing_of
from tests.builders.forwarding import FORWARDED
from tests.builders.gateway import ADMISSION, TOKEN, attempt, journal
from tests.builders.kernel import MICROSECOND, NOON, P1, FakeClock, ids
from tests.builders.registry import QUOTE, PriceList
from tests.builders.usage import EVERYTHING, TOKENS, usage_record
from tests.contracts.conftest import SCHEMA

COST = Decimal("0.25")
A, B = attempt(1), attempt(2)


@dataclass(frozen=True, slots=True)
class Server:
    """What a process has of its own, over a store of all."""

    begin: Begin[AllWork]
    clock: FakeClock
    journal: BufferedJournal

    async def start(self, *attempts: StartedAttempt, tokens: int = 0) -> None:
        hold = HoldBudget(self.begin, LapseHolds(self.begin, self.clock), self.clock)
        for one in attempts:
            await hold(ADMISSION, HoldId(one.id), COST, tokens)
        await gather(*map(self.journal.start, attempts))

    async def close_lost(self) -> int:
        return await CloseLostAttempts(self.begin, self.clock)()

    async def record(self, id: UsageId) -> UsageRecord:
        record = usage_record(id=id, cost_usd=COST, tokens=TOKENS)
        async with self.begin() as work:
            await work.usage.append([record])
        return record


def server(begin: Begin[AllWork], clock: FakeClock) -> Server:
    return Server(begin, clock, journal(begin, clock))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def crashed(begin: Begin[AllWork], clock: FakeClock) -> Server:
    """To be dropped in the middle of its calls; its tokens' budget is 100 tokens."""
    async with begin() as work:
        await work.budgets.limit(TOKEN.id, Limits(max_tokens=100))
    return server(begin, clock)


@pytest.fixture
def other(begin: Begin[AllWork], clock: FakeClock) -> Server:
    return server(begin, clock)


async def ledger(begin: Begin[AllWork]) -> Sequence[UsageRecord]:
    async with begin() as work:
        return await work.usage.newest(P1, EVERYTHING, 100)


async def budget(begin: Begin[AllWork]) -> tuple[int, int]:
    """Return how many tokens are spent, and how many held."""
    async with begin() as work:
        found = (await work.budgets.of([TOKEN.id]))[TOKEN.id]
    return found.spent_tokens, found.held_tokens


async def test_a_crash_is_seen_once_the_lease_is_over(crashed: Server, other: Server) -> None:
    await crashed.start(A, tokens=60)
    other.clock.pass_by(LEASE - MICROSECOND)
    assert await other.close_lost() == 0
    assert await budget(other.begin) == (0, 60)
    other.clock.pass_by(MICROSECOND)
    assert [await other.close_lost(), await other.close_lost()] == [1, 0]
    (lost,) = await ledger(other.begin)
    assert (lost.id, lost.project, lost.at) == (A.id, A.project, NOON + LEASE)
    assert (lost.kind, lost.attempt_status, lost.usage_source) == ("call", "unknown", "missing")
    assert (lost.provider, lost.model, lost.request_id) == (A.provider, A.model, A.request_id)
    assert (lost.cost_usd, lost.cost_status, lost.tokens) == (None, "unpriced", Tokens())
    assert lost.metadata == {
        "endpoint": A.endpoint,
        "gateway_token_id": A.token,
        "status": None,
        "started_at": "2026-11-20T12:00:00.123456+00:00",
    }
    assert await budget(other.begin) == (0, 0)


async def test_a_call_in_the_ledger_is_not_lost_and_its_hold_is_settled(
    crashed: Server, other: Server
) -> None:
    await crashed.start(A, tokens=60)
    record = await crashed.record(A.id)
    other.clock.pass_by(LEASE)
    assert await other.close_lost() == 0
    assert await ledger(other.begin) == [record]
    assert await budget(other.begin) == (TOKENS.total, 0)


async def test_a_hold_that_lapsed_before_is_settled_all_the_same(
    crashed: Server, other: Server
) -> None:
    await crashed.start(A, tokens=60)
    await crashed.record(A.id)
    other.clock.pass_by(LEASE)
    await LapseHolds(other.begin, other.clock)()
    await other.close_lost()
    assert await budget(other.begin) == (TOKENS.total, 0)


async def test_a_call_that_was_settled_is_not_settled_again(crashed: Server, other: Server) -> None:
    await crashed.start(A, tokens=60)
    await crashed.record(A.id)
    await SettleHold(crashed.begin)(HoldId(A.id), COST, TOKENS.total)
    other.clock.pass_by(LEASE)
    assert await other.close_lost() == 0
    assert await budget(other.begin) == (TOKENS.total, 0)


async def test_what_is_under_way_is_never_closed(crashed: Server, other: Server) -> None:
    await crashed.start(A, tokens=60)
    for _ in range(5):
        other.clock.pass_by(LEASE / 3)
        await crashed.journal.renew()
        assert await other.close_lost() == await LapseHolds(other.begin, other.clock)() == 0
    assert (await ledger(other.begin), await budget(other.begin)) == ([], (0, 60))
    assert crashed.journal.open == 1


async def test_what_ended_leaves_nothing(crashed: Server, other: Server) -> None:
    await crashed.start(A, B)
    for ended in (A, B):
        crashed.journal.end(ended.id)
    await crashed.journal.flush()
    other.clock.pass_by(LEASE)
    assert await other.close_lost() == 0
    assert await ledger(other.begin) == []


async def test_two_that_close_at_once_close_each_call_once(crashed: Server, other: Server) -> None:
    attempts = [attempt(number) for number in range(20)]
    await crashed.start(*attempts, tokens=5)
    other.clock.pass_by(LEASE)
    third = server(other.begin, other.clock)
    closed = await gather(other.close_lost(), third.close_lost(), other.close_lost())
    assert sum(closed) == len(attempts)
    assert sorted(one.id for one in await ledger(other.begin)) == [one.id for one in attempts]
    assert await budget(other.begin) == (0, 0)


async def test_a_record_that_comes_at_the_same_moment_is_the_only_one(
    crashed: Server, other: Server
) -> None:
    attempts = [attempt(number) for number in range(20)]
    await crashed.start(*attempts, tokens=5)
    other.clock.pass_by(LEASE)
    await gather(
        other.close_lost(),
        *(crashed.record(one.id) for one in attempts),
        other.close_lost(),
        return_exceptions=True,
    )
    await other.close_lost()
    assert sorted(one.id for one in await ledger(other.begin)) == [one.id for one in attempts]
    assert (await budget(other.begin))[1] == 0


async def test_a_record_that_comes_first_by_a_hair_is_found(crashed: Server, other: Server) -> None:
    await crashed.start(A, tokens=60)
    other.clock.pass_by(LEASE)
    records: list[UsageRecord] = []

    @asynccontextmanager
    async def overtaken() -> AsyncIterator[AllWork]:
        try:
            async with other.begin() as work:
                yield work
                if not records:  # as the database says when it is asked to append
                    raise DuplicateUsage(A.id)
        except DuplicateUsage:
            records.append(await crashed.record(A.id))
            raise

    assert await CloseLostAttempts(overtaken, other.clock)() == 0
    assert await ledger(other.begin) == records
    assert await budget(other.begin) == (TOKENS.total, 0)


async def test_a_call_that_ends_after_it_was_closed_corrects_that(
    crashed: Server, other: Server
) -> None:
    await crashed.start(A)
    other.clock.pass_by(LEASE)
    assert await other.close_lost() == 1
    intake = DirectIntake(in_one_transaction(crashed.begin))
    record = RecordAttempt(intake, PriceList(), FakeClock(NOON + 2 * LEASE), ids())
    late = await record(replace(FORWARDED, id=A.id))
    assert (late.kind, late.adjusts, late.attempt_status) == ("adjustment", A.id, "complete")
    assert (late.cost_usd, late.tokens) == (Decimal("0.0000546"), TOKENS)
    assert [one.kind for one in await ledger(other.begin)] == ["adjustment", "call"]
    (closed,) = (one for one in await ledger(other.begin) if one.kind == "call")
    assert repricing_of(closed, [late], QUOTE) is None


@pytest.mark.parametrize("named", [None, "", "m" * 300, "a\0b", "\ud800"])
async def test_whatever_a_caller_names_can_be_written_down(
    crashed: Server, other: Server, named: str | None
) -> None:
    await crashed.start(replace(A, model=named, endpoint="/v1/" + "e" * 300))
    other.clock.pass_by(LEASE)
    assert await other.close_lost() == 1
    assert [one.model for one in await ledger(other.begin)] == ["unknown"]


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])  # memory does not outlive its process
async def test_a_server_that_comes_back_closes_what_it_left(
    crashed: Server, engine: AsyncEngine
) -> None:
    await crashed.start(A, B, tokens=5)
    url = engine.url.set(drivername=engine.url.get_backend_name())
    restarted = open_engine(url.render_as_string(hide_password=False), SCHEMA)
    try:
        again = server(sql_transactions(restarted), FakeClock(NOON + LEASE))
        assert await again.close_lost() == 2
        assert [one.attempt_status for one in await ledger(again.begin)] == ["unknown"] * 2
        assert await budget(again.begin) == (0, 0)
    finally:
        await restarted.dispose()
