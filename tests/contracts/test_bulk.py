"""Batches, exports and repricing on every backend: nothing twice, and totals equal to rows."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from llmring_adapters.group_commit import GroupCommit
from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.usage.intake import WriteEntries, in_one_transaction
from llmring_core.errors import Overloaded, StoreUnavailable
from llmring_core.idempotency import KEY_LIFETIME, KeyReused
from llmring_core.ids import NewId, UsageId
from llmring_core.transactions import Begin
from llmring_core.usage import (
    Batch,
    BatchResult,
    Entry,
    ExportUsage,
    Line,
    LogBatch,
    RepriceUsage,
    Sums,
    UsageRecord,
    UsageToLog,
    add,
    days_of,
    sums_of,
)
from tests.builders.kernel import NOON, P1, P2, FakeClock, ids
from tests.builders.registry import PriceList, prices, quote
from tests.builders.usage import AROUND, EVERYTHING, call, usage_record

NEW_PRICE = quote(prices=prices(input=Decimal(100)), registry_digest="ab" * 32)


class Ledger:
    """Everything bulk work needs on one store."""

    def __init__(self, begin: Begin[AllWork], new_id: NewId | None = None) -> None:
        self.begin = begin
        self.clock = FakeClock()
        self.prices = PriceList()
        self.write: WriteEntries = in_one_transaction(begin)
        intake = GroupCommit(self._write)
        new_id = new_id or ids()
        self.log = LogBatch(begin, begin, intake, self.prices, self.clock, new_id)
        self.reprice = RepriceUsage(begin, intake, self.prices, self.clock, new_id)

    async def _write(self, entries: Sequence[Entry]) -> list[None]:
        return await self.write(entries)

    async def records(self) -> list[UsageRecord]:
        pages = [page async for page in ExportUsage(self.begin)(P1, EVERYTHING)]
        return [record for page in pages for record in page]

    async def repriced(self, *, dry_run: bool = False) -> int:
        pages = [page async for page in self.reprice(P1, EVERYTHING, dry_run=dry_run)]
        return sum(len(page.changes) for page in pages)

    async def check(self) -> Sums:
        """Return the totals, which must be those of the rows."""
        async with self.begin() as work:
            totals = await work.usage.totals(P1, EVERYTHING, days_of(AROUND, UTC))
        sums = add(totals.by_day_and_model.values())
        assert sums == add(map(sums_of, await self.records()))
        return sums


@pytest.fixture
def ledger(begin: Begin[AllWork]) -> Ledger:
    return Ledger(begin)


def batch(*calls: UsageToLog) -> Batch:
    lines = tuple(Line(index=index, call=one) for index, one in enumerate(calls))
    return Batch(route="usage.batch", lines=lines)


def several(number: int) -> Batch:
    return batch(*(call(origin=str(n)) for n in range(number)))


def counts(result: BatchResult) -> tuple[int, int, int]:
    known = sum(taken.duplicate for taken in result.taken)
    return len(result.taken) - known, known, len(result.refused)


class TestABatch:
    async def test_is_told_the_same_when_it_comes_again(self, ledger: Ledger) -> None:
        named = batch(call(client_log_id="a"), call(client_log_id="a"), call())
        first = await ledger.log(P1, named, "key")
        second = await ledger.log(P1, named, "key")
        assert counts(first.value) == (2, 1, 0)
        assert second.value == first.value and second.replayed and not first.replayed
        assert (await ledger.check()).requests == 2

    async def test_of_another_content_is_refused_under_its_key(self, ledger: Ledger) -> None:
        await ledger.log(P1, several(2), "key")
        with pytest.raises(KeyReused):
            await ledger.log(P1, several(3), "key")
        assert not (await ledger.log(P2, several(3), "key")).replayed
        assert (await ledger.check()).requests == 2

    async def test_that_many_send_at_once_is_stored_once(self, ledger: Ledger) -> None:
        outcomes = await asyncio.gather(*(ledger.log(P1, several(20), "key") for _ in range(10)))
        first, *others = (outcome.value for outcome in outcomes)
        assert counts(first) == (20, 0, 0) and others == [first] * 9
        assert (await ledger.check()).requests == 20

    @pytest.mark.parametrize("written", [0, 1, 7])
    async def test_that_was_cut_off_is_completed_when_it_comes_again(
        self, ledger: Ledger, written: int
    ) -> None:
        store = ledger.write

        async def dies(entries: Sequence[Entry]) -> None:
            if written:
                await store(entries[:written])
            raise StoreUnavailable("gone")

        ledger.write = dies
        with pytest.raises(StoreUnavailable):
            await ledger.log(P1, several(10), "key")
        ledger.write = store
        with pytest.raises(KeyReused):
            await ledger.log(P1, several(11), "key")
        again = await ledger.log(P1, several(10), "key")
        assert counts(again.value) == (10, 0, 0)
        assert (await ledger.check()).requests == 10
        assert (await ledger.log(P1, several(10), "key")).value == again.value

    async def test_may_use_its_key_anew_when_its_life_is_over(self, ledger: Ledger) -> None:
        await ledger.log(P1, several(1), "key")
        ledger.clock.pass_by(KEY_LIFETIME)
        assert not (await ledger.log(P1, several(2), "key")).replayed
        assert (await ledger.check()).requests == 3

    async def test_of_the_past_does_not_revive_keys_whose_life_is_over(
        self, ledger: Ledger
    ) -> None:
        await ledger.log(P1, several(1), "key")
        ledger.clock.pass_by(KEY_LIFETIME)
        past = Line(index=0, call=call(), at=NOON - timedelta(days=300))
        outcome = await ledger.log(P1, Batch(route="usage.batch", lines=(past,)), "key")
        assert counts(outcome.value) == (1, 0, 0)

    async def test_refuses_lines_one_by_one(self, ledger: Ledger) -> None:
        await ledger.log(P1, batch(call(client_log_id="a")))
        future = Line(index=3, call=call(), at=NOON + timedelta(days=1))
        sent = batch(call(client_log_id="a", model="m"), call(), call(client_log_id="a"))
        outcome = await ledger.log(P1, replace(sent, lines=(*sent.lines, future)))
        assert counts(outcome.value) == (1, 1, 2)
        assert [(one.index, one.field) for one in outcome.value.refused] == [
            (0, None),
            (3, "logged_at"),
        ]

    async def test_without_room_for_all_of_it_is_not_begun(self, ledger: Ledger) -> None:
        with pytest.raises(Overloaded):
            await ledger.log(P1, several(10_001))
        assert await ledger.records() == []


class TestAnExport:
    async def test_has_every_record_once_and_holds_no_transaction(
        self, begin: Begin[AllWork]
    ) -> None:
        records = [usage_record() for _ in range(1_201)]
        async with begin() as work:
            await work.usage.append(records)
        under_way = 0

        @asynccontextmanager
        async def watched() -> AsyncIterator[AllWork]:
            nonlocal under_way
            under_way += 1
            async with begin() as work:
                yield work
            under_way -= 1

        found = []
        async for page in ExportUsage(watched)(P1, EVERYTHING):
            assert under_way == 0 and len(page) <= 500
            found += page
        assert found == records[::-1]

    async def test_begins_and_ends_where_it_is_told(self, begin: Begin[AllWork]) -> None:
        records = [usage_record() for _ in range(5)]
        async with begin() as work:
            await work.usage.append(records)
        export = ExportUsage(begin)
        pages = [page async for page in export(P1, EVERYTHING, limit=2, offset=1)]
        assert pages == [[records[3], records[2]]]
        assert [page async for page in export(P2, EVERYTHING)] == [[]]


class TestAdjustments:
    async def test_are_found_by_the_calls_they_correct(self, begin: Begin[AllWork]) -> None:
        first, second, other = (usage_record() for _ in range(3))
        late = usage_record(kind="adjustment", adjusts=first.id, at=NOON + timedelta(days=1))
        early = usage_record(kind="adjustment", adjusts=first.id)
        others = usage_record(kind="adjustment", adjusts=other.id)
        async with begin() as work:
            await work.usage.append([first, second, other, late, early, others])
        async with begin() as work:
            assert await work.usage.adjustments(P1, [first.id, second.id]) == [early, late]
            assert await work.usage.adjustments(P1, []) == []
            assert await work.usage.adjustments(P2, [first.id]) == []
            assert await work.usage.adjustments(P1, [UsageId("nope")]) == []


class TestRepricing:
    async def test_corrects_the_totals_once(self, ledger: Ledger) -> None:
        await ledger.log(P1, batch(call(), call(model="new"), call(cost_usd=Decimal(1)), call()))
        before = await ledger.check()
        ledger.prices.quotes |= {"openai:gpt-4o-mini": NEW_PRICE, "openai:new": NEW_PRICE}
        assert await ledger.repriced(dry_run=True) == 3
        assert await ledger.check() == before
        assert await ledger.repriced() == 3
        after = await ledger.check()
        assert await ledger.repriced() == 0
        assert await ledger.check() == after
        assert (after.requests, after.input_tokens) == (before.requests, before.input_tokens)
        assert after.cost_usd == Decimal(1) + 3 * (await _cost_at(ledger))

    async def test_by_two_at_once_corrects_once(self, begin: Begin[AllWork]) -> None:
        one, other = Ledger(begin), Ledger(begin, ids(7))
        await one.log(P1, several(30))
        for ledger in (one, other):
            ledger.prices.quotes["openai:gpt-4o-mini"] = NEW_PRICE
        assert sum(await asyncio.gather(one.repriced(), other.repriced())) == 30
        assert len(await one.records()) == 60
        assert (await one.check()).cost_usd == 30 * (await _cost_at(one))


async def _cost_at(ledger: Ledger) -> Decimal:
    """Return what a call costs at the new price."""
    made = next(one for one in await ledger.records() if one.kind == "adjustment")
    assert made.registry_cost_usd is not None
    return made.registry_cost_usd
