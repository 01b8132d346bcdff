"""Totals of a project's calls, in every direction, also when there are very many."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from llmring_adapters.transactions.memory import memory_transactions
from llmring_core.transactions import Begin
from llmring_core.usage import (
    SummariseUsage,
    Summary,
    SummaryRequest,
    Sums,
    UsageWork,
    add,
    sums_of,
    zone_named,
)
from tests.builders.kernel import NOON, P1
from tests.builders.usage import selection, usage_record

MONTH = timedelta(days=30)
MANY = 100_000


async def summary(
    begin: Begin[UsageWork], start: datetime, end: datetime, zone: str = "UTC", **filters: str
) -> Summary:
    request = SummaryRequest(
        selection=selection(start, end, **filters), zone=zone_named(zone), group_by="month"
    )
    return await SummariseUsage(begin)(P1, request)


async def test_a_call_counts_on_the_day_it_was_in_the_askers_zone() -> None:
    begin = memory_transactions()
    late = datetime(2026, 11, 20, 23, 59, 59, 999999, tzinfo=UTC)
    async with begin() as work:
        await work.usage.append([usage_record(at=late)])
    period = NOON - MONTH, NOON + MONTH
    in_utc, in_nepal = (
        await summary(begin, *period),
        await summary(begin, *period, "Asia/Kathmandu"),
    )
    assert [day.first_day for day in in_utc.by_day] == [date(2026, 11, 20)]
    assert [day.first_day for day in in_nepal.by_day] == [date(2026, 11, 21)]
    assert in_utc.total == in_nepal.total


async def test_what_has_no_alias_or_origin_is_collected_under_none() -> None:
    begin = memory_transactions()
    records = [
        usage_record(alias=alias, origin=origin) for alias in ("a", None) for origin in ("o", None)
    ]
    async with begin() as work:
        await work.usage.append(records)
    found = await summary(begin, NOON, NOON + MONTH)
    assert set(found.by_alias) == {"a", None} and set(found.by_origin) == {"o", None}
    assert add(found.by_alias.values()) == add(found.by_origin.values()) == found.total


async def test_nothing_is_a_summary_of_zeros() -> None:
    assert (await summary(memory_transactions(), NOON, NOON)).total == Sums()


async def test_a_hundred_thousand_calls_are_summed_to_the_last_digit() -> None:
    begin = memory_transactions()
    records = [
        usage_record(
            at=NOON + number * timedelta(seconds=25, microseconds=number),
            model=f"m{number % 7}",
            alias=f"a{number % 3}" if number % 4 else None,
            cost_usd=None if number % 11 == 0 else Decimal(number) / 10**12,
        )
        for number in range(MANY)
    ]
    for first in range(0, MANY, 1_000):
        async with begin() as work:
            await work.usage.append(records[first : first + 1_000])
    found = await summary(begin, NOON, records[-1].at + timedelta.resolution, "Europe/Berlin")
    assert found.total == add(map(sums_of, records))
    assert (found.total.requests, found.total.unpriced) == (MANY, -(-MANY // 11))
    parts = (found.by_model, found.by_alias, found.by_origin)
    assert all(add(part.values()) == found.total for part in parts)
    assert add(day.sums for day in found.by_day) == found.total
    only = await summary(begin, NOON, records[-1].at, model="m3", alias="a1")
    chosen = [r for r in records[:-1] if (r.model, r.alias) == ("m3", "a1")]
    assert only.total == add(map(sums_of, chosen))
