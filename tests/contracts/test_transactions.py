"""What every unit of work promises, on every backend."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, timedelta
from decimal import Decimal

import pytest

from llmring_adapters.database import open_engine
from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.transactions.sql import sql_reads, sql_transactions
from llmring_core.errors import StoreUnavailable
from llmring_core.transactions import Begin
from llmring_core.usage import Sums, days_of
from tests.builders.accounts import API_KEY, PROJECT
from tests.builders.idempotency import ANSWER, ATTEMPT
from tests.builders.kernel import NOON, P1
from tests.builders.usage import AROUND, EVERYTHING, RECORD, TOKENS, usage_record

DAYS = days_of(AROUND, UTC)
PENNY = Decimal("0.010000000001")


class Stop(Exception):
    """What a test throws."""


async def write(work: AllWork) -> None:
    """Touch every store of accounts, idempotency and usage."""
    await work.accounts.add_project(PROJECT)
    await work.accounts.add_key(API_KEY)
    await work.answers.add([ANSWER], NOON)
    await work.usage.append([RECORD])


async def stored(begin: Begin[AllWork]) -> list[bool]:
    """Return what of ``write`` is there: a project, a key, an answer, a record, a total."""
    async with begin() as work:
        return [
            await work.accounts.project_named(PROJECT.name) is not None,
            await work.accounts.key_with(API_KEY.digest) is not None,
            await work.answers.find(P1, ATTEMPT, NOON) is not None,
            bool(await work.usage.newest(P1, EVERYTHING, 1)),
            bool((await work.usage.totals(P1, EVERYTHING, DAYS)).by_alias),
        ]


async def fail(begin: Begin[AllWork]) -> None:
    async with begin() as work:
        await write(work)
        raise Stop


async def revoke_what_failed_to_be_added(begin: Begin[AllWork]) -> None:
    """Change and add to the same rows, then fail."""
    async with begin() as work:
        await write(work)
        await work.accounts.revoke(API_KEY.id, NOON)
        await work.usage.append([usage_record(), usage_record(at=NOON + timedelta(hours=1))])
        raise Stop


class TestTransactions:
    async def test_leaving_the_block_commits(self, begin: Begin[AllWork]) -> None:
        async with begin() as work:
            await write(work)
        assert await stored(begin) == [True] * 5

    @pytest.mark.parametrize("block", [fail, revoke_what_failed_to_be_added])
    async def test_an_exception_takes_everything_back(
        self, begin: Begin[AllWork], block: Callable[[Begin[AllWork]], Awaitable[None]]
    ) -> None:
        with pytest.raises(Stop):
            await block(begin)
        assert await stored(begin) == [False] * 5

    async def test_an_exception_takes_back_nothing_of_the_block_before(
        self, begin: Begin[AllWork]
    ) -> None:
        async with begin() as work:
            await write(work)
        with pytest.raises(Stop):
            async with begin() as work:
                await work.accounts.revoke(API_KEY.id, NOON)
                await work.usage.append([usage_record()])
                raise Stop
        async with begin() as work:
            assert await work.accounts.key_with(API_KEY.digest) == API_KEY
            assert await work.usage.newest(P1, EVERYTHING, 5) == [RECORD]
            totals = await work.usage.totals(P1, EVERYTHING, DAYS)
        assert [sums.requests for sums in totals.by_alias.values()] == [1]

    async def test_a_cancelled_task_takes_everything_back_and_blocks_nobody(
        self, begin: Begin[AllWork]
    ) -> None:
        written = asyncio.Event()

        async def hang() -> None:
            async with begin() as work:
                await write(work)
                written.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(hang())
        await written.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await stored(begin) == [False] * 5

    async def test_a_task_cancelled_while_it_waits_for_its_turn_changes_nothing(
        self, begin: Begin[AllWork]
    ) -> None:
        async def log() -> None:
            async with begin() as work:
                await work.usage.append([usage_record()])

        async with begin() as work:
            await work.usage.append([RECORD])
            waiting = asyncio.create_task(log())
            await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        async with begin() as work:
            assert await work.usage.newest(P1, EVERYTHING, 5) == [RECORD]

    async def test_nothing_is_seen_of_a_block_that_is_still_open(
        self, begin: Begin[AllWork]
    ) -> None:
        seen: list[list[bool]] = []

        async def look() -> None:
            seen.append(await stored(begin))

        with pytest.raises(Stop):
            async with begin() as work:
                await write(work)
                looking = asyncio.create_task(look())
                await asyncio.sleep(0.02)
                raise Stop
        await looking
        assert seen == [[False] * 5]

    async def test_blocks_at_once_lose_no_update(self, begin: Begin[AllWork]) -> None:
        async def log(number: int) -> None:
            models = ["a", "b", "c"] if number % 2 else ["c", "b", "a"]
            batch = [usage_record(model=model, cost_usd=PENNY) for model in models]
            async with begin() as work:
                await work.usage.append(batch)

        await asyncio.gather(*map(log, range(50)))
        async with begin() as work:
            totals = await work.usage.totals(P1, EVERYTHING, DAYS)
        each = Sums(
            requests=50,
            input_tokens=50 * TOKENS.input_total,
            cached_input_tokens=50 * TOKENS.input_cache_read,
            output_tokens=50 * TOKENS.output_total,
            cost_usd=50 * PENNY,
        )
        models = {model: sums for (_, model), sums in totals.by_day_and_model.items()}
        assert models == {"a": each, "b": each, "c": each}


@pytest.mark.parametrize("backend", ["sqlite", "postgres"], indirect=True)
class TestReads:
    async def test_wait_for_no_writer_and_see_what_was_committed(
        self, begin: Begin[AllWork], request: pytest.FixtureRequest
    ) -> None:
        reads = sql_reads(request.getfixturevalue("engine"))
        async with begin() as work:
            await work.usage.append([RECORD])
        async with begin() as work:
            await work.usage.append([usage_record()])
            async with asyncio.timeout(2), reads() as reading:
                assert await reading.usage.newest(P1, EVERYTHING, 5) == [RECORD]

    async def test_leave_a_connection_on_which_blocks_are_whole(
        self, begin: Begin[AllWork], request: pytest.FixtureRequest
    ) -> None:
        await stored(sql_reads(request.getfixturevalue("engine")))
        with pytest.raises(Stop):
            await fail(begin)
        assert await stored(begin) == [False] * 5


async def test_a_database_that_is_away_is_reported_as_such() -> None:
    engine = open_engine("postgresql://127.0.0.1:1/nowhere", "llmring")
    with pytest.raises(StoreUnavailable):
        async with sql_transactions(engine)():
            pass
    await engine.dispose()
