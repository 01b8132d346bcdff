"""The ways into the ledger keep what their port promises, each on its own store."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from llmring_adapters.database import connect_postgres
from llmring_adapters.group_commit import GroupCommit
from llmring_adapters.sqlite import OwnThread, Turn
from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.usage.intake import DirectIntake, in_one_transaction
from llmring_adapters.usage.postgres import PostgresWriter
from llmring_adapters.usage.sqlite import SqliteWriter
from llmring_core.idempotency import AlreadyAnswered
from llmring_core.transactions import Begin
from llmring_core.usage import (
    MAX_TOTAL,
    DuplicateUsage,
    Entry,
    Tokens,
    TotalsOverflow,
    UsageIntake,
    UsageRecord,
    days_of,
    zone_named,
)
from tests.builders.idempotency import answer
from tests.builders.kernel import NOON, P1, P2
from tests.builders.usage import EVERYTHING, usage_record
from tests.contracts.conftest import SCHEMA

MANY = 50
MICROSECOND = timedelta(microseconds=1)
TOO_MANY_TOKENS = Tokens(input_uncached=MAX_TOTAL)


@pytest.fixture(params=["memory directly", "memory", "sqlite directly", "sqlite", "postgres"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def backend(way: str) -> str:
    return way.split()[0]


@pytest.fixture
async def intake(
    way: str, begin: Begin[AllWork], turn: Turn, request: pytest.FixtureRequest
) -> AsyncIterator[UsageIntake]:
    if way.endswith("directly"):
        yield DirectIntake(in_one_transaction(begin))
        return
    if way == "postgres":
        url = request.getfixturevalue("migrated_postgres")
        writer = PostgresWriter(partial(connect_postgres, url, SCHEMA))
        group = GroupCommit(writer, close=writer.close)
    elif way == "sqlite":
        file = Path(request.getfixturevalue("engine").url.database)
        own = OwnThread(file, turn)
        group = GroupCommit(SqliteWriter(own), close=own.close)
    else:
        group = GroupCommit(in_one_transaction(begin))
    yield group
    await group.close()


def entry(*keys: str, **changes: object) -> Entry:
    """A call with an id of its own, known by ``keys``."""
    record = usage_record(**changes)
    answers = tuple(answer(record.id, project=record.project, key=key) for key in keys)
    return Entry(record=record, answers=answers, taken_at=NOON)


async def stored(begin: Begin[AllWork]) -> list[UsageRecord]:
    """Every record of the project, after making sure that its totals tell the same."""
    days = days_of(EVERYTHING.period, zone_named(None))
    async with begin() as work:
        records = await work.usage.newest(P1, EVERYTHING, limit=10_000)
        totals = await work.usage.totals(P1, EVERYTHING, days)
    assert sum(sums.requests for sums in totals.by_origin.values()) == len(records)
    assert sum(sums.cost_usd for sums in totals.by_origin.values()) == sum(
        record.cost_usd or 0 for record in records
    )
    return records


async def all_taken(intake: UsageIntake, entries: list[Entry]) -> list[BaseException | None]:
    return await asyncio.gather(*map(intake.take, entries), return_exceptions=True)


async def test_what_is_taken_is_committed_when_it_returns(
    intake: UsageIntake, begin: Begin[AllWork]
) -> None:
    one = entry("key")
    await intake.take(one)
    assert await stored(begin) == [one.record]
    async with begin() as work:
        kept = await work.answers.find(P1, one.answers[0].attempt, one.record.at)
    assert kept == one.answers[0]


async def test_entries_that_come_together_are_all_kept(
    intake: UsageIntake, begin: Begin[AllWork]
) -> None:
    entries = [entry(f"key {number}", origin=f"o{number % 3}") for number in range(MANY)]
    assert await all_taken(intake, entries) == [None] * MANY
    assert {record.id for record in await stored(begin)} == {e.record.id for e in entries}


async def test_of_equal_ones_at_once_exactly_one_is_kept(
    intake: UsageIntake, begin: Begin[AllWork]
) -> None:
    outcomes = await all_taken(intake, [entry("key") for _ in range(MANY)])
    refused = [outcome for outcome in outcomes if isinstance(outcome, AlreadyAnswered)]
    assert (outcomes.count(None), len(refused)) == (1, MANY - 1)
    assert len(await stored(begin)) == 1


async def test_one_of_its_names_taken_refuses_an_entry_whole(
    intake: UsageIntake, begin: Begin[AllWork]
) -> None:
    first = entry("a", "b")
    await intake.take(first)
    with pytest.raises(AlreadyAnswered) as refusal:
        await intake.take(entry("b", "c"))
    assert [key for _, _, key in refusal.value.names] == ["b"]
    await intake.take(entry("c"))
    assert len(await stored(begin)) == 2


async def test_a_name_whose_answer_has_expired_is_free_again(
    intake: UsageIntake, begin: Begin[AllWork]
) -> None:
    first, again = entry("key"), entry("key")
    expires_at = first.answers[0].expires_at
    assert expires_at is not None
    await intake.take(first)
    with pytest.raises(AlreadyAnswered):
        await intake.take(replace(again, taken_at=expires_at - MICROSECOND))
    await intake.take(replace(again, taken_at=expires_at))
    assert len(await stored(begin)) == 2
    async with begin() as work:
        assert await work.answers.find(P1, again.answers[0].attempt, NOON) == again.answers[0]


async def test_a_name_is_one_projects_own(intake: UsageIntake, begin: Begin[AllWork]) -> None:
    assert await all_taken(intake, [entry("key"), entry("key", project=P2)]) == [None, None]
    assert len(await stored(begin)) == 1


async def test_bad_ones_are_refused_and_their_neighbours_kept(
    intake: UsageIntake, begin: Begin[AllWork]
) -> None:
    taken = entry()
    await intake.take(taken)
    entries = [entry(f"key {number}") for number in range(20)]
    entries[3] = replace(entries[3], record=replace(entries[3].record, id=taken.record.id))
    entries[11] = entry("key 11", tokens=TOO_MANY_TOKENS)
    entries[19] = entry("key 5")

    outcomes = await all_taken(intake, entries)

    kinds = {3: DuplicateUsage, 11: TotalsOverflow, 19: AlreadyAnswered}
    assert {n: type(o) for n, o in enumerate(outcomes) if o is not None} == kinds
    assert len(await stored(begin)) == 1 + 20 - len(kinds)
    await intake.take(entry("key 3", "key 11"))  # refused entries leave their keys unused


@pytest.mark.parametrize("text", ["a\0b", "\ud800"], ids=["NUL", "half a character"])
async def test_what_the_store_cannot_keep_costs_no_neighbour(
    intake: UsageIntake, begin: Begin[AllWork], way: str, text: str
) -> None:
    entries = [entry() for _ in range(5)]
    entries[2] = entry(id_at_origin=text)  # callers check before; this is the last line
    outcomes = await all_taken(intake, entries)
    assert all(outcome is None for n, outcome in enumerate(outcomes) if n != 2)
    kept = await stored(begin)
    assert len(kept) == (4 if outcomes[2] else 5)
    if way == "postgres":
        assert outcomes[2] is not None


async def test_whoever_stops_waiting_does_not_stop_the_write(
    intake: UsageIntake, begin: Begin[AllWork]
) -> None:
    one, other = entry("key"), entry()
    waiting = asyncio.create_task(intake.take(one))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await intake.take(other)
    assert {record.id for record in await stored(begin)} == {one.record.id, other.record.id}


async def test_it_waits_for_blocks_and_blocks_for_it(
    intake: UsageIntake, begin: Begin[AllWork]
) -> None:
    async def block() -> None:
        async with begin() as work:
            await work.usage.append([usage_record(origin="o")])

    takings = [intake.take(entry(origin="o")) for _ in range(MANY)]
    blocks = [block() for _ in range(MANY // 2)]
    await asyncio.gather(*takings, *blocks)
    assert len(await stored(begin)) == MANY + MANY // 2


async def test_more_than_one_groupful_is_kept(intake: UsageIntake, begin: Begin[AllWork]) -> None:
    entries = [entry(origin="o") for _ in range(1_201)]
    assert await all_taken(intake, entries) == [None] * len(entries)
    assert len(await stored(begin)) == len(entries)
