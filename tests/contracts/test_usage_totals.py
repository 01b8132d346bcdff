"""What every UsageLedger promises about totals: they are the sums of the records, always."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmring_core.ids import ProjectId
from llmring_core.transactions import Begin
from llmring_core.usage import (
    MAX_COUNT,
    MAX_TOTAL,
    Cell,
    Period,
    Selection,
    Sums,
    Tokens,
    Totals,
    TotalsOverflow,
    UsageRecord,
    UsageWork,
    days_of,
    sums_of,
    totals_of,
)
from tests.builders.kernel import MICROSECOND, NOON, P1, P2
from tests.builders.usage import AROUND, EVERYTHING, RECORD, selection, usage_record

QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)
FULL = Tokens(input_uncached=MAX_COUNT)
BLOCKS = 2**10 + 1  # of MAX_COUNT tokens: more than a total can hold

# Weeks in which clocks change, in zones that differ from UTC by odd amounts.
WEEKS = [
    ("UTC", datetime(2026, 12, 30, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 24, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 7, tzinfo=UTC)),
    ("Asia/Kathmandu", datetime(2028, 2, 28, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 3, tzinfo=UTC)),
    ("America/Havana", datetime(2026, 3, 7, tzinfo=UTC)),
    ("America/St_Johns", datetime(2026, 10, 31, tzinfo=UTC)),
]
instants = st.one_of(
    st.timedeltas(timedelta(), timedelta(days=4)),
    st.integers(0, 4 * 96).map(lambda number: number * QUARTER),
    st.integers(1, 4 * 96).map(lambda number: number * QUARTER - MICROSECOND),
)
counts = st.one_of(st.integers(0, 1000), st.just(MAX_COUNT))
costs = st.one_of(st.none(), st.decimals(0, 1_000_000, places=12))
names = st.sampled_from([None, "", "a", "A"])
records = st.lists(
    st.fixed_dictionaries(
        {
            "at": instants,
            "model": st.sampled_from(["m", "ω"]),
            "alias": names,
            "origin": names,
            "cost_usd": costs,
            "tokens": st.builds(
                Tokens,
                input_uncached=counts,
                input_cache_read=counts,
                input_cache_write_5m=counts,
                output=counts,
                output_reasoning=counts,
            ),
        },
        optional={"kind": st.just("cache_hit")},
    )
    | st.fixed_dictionaries(
        {
            "at": instants,
            "kind": st.just("adjustment"),
            "tokens": st.just(Tokens()),
            "cost_usd": st.decimals(-1_000_000, 0, places=12),
        }
    ),
    max_size=12,
)
wanted = st.fixed_dictionaries(
    {}, optional={"model": st.sampled_from(["m", "x"]), "alias": names, "origin": names}
)

_projects = count(1)


async def read(
    begin: Begin[UsageWork], wanted: Selection, zone: ZoneInfo, project: ProjectId = P1
) -> Totals:
    async with begin() as work:
        return await work.usage.totals(project, wanted, days_of(wanted.period, zone))


async def total(begin: Begin[UsageWork], period: Period = AROUND) -> Sums:
    """Return the only sum there is."""
    found = await read(begin, Selection(period=period), ZoneInfo("UTC"))
    (sums,) = found.by_day_and_model.values()
    return sums


def brute_force(records: Sequence[UsageRecord], wanted: Selection, zone: ZoneInfo) -> Totals:
    """Return what ``read`` must, from the records and the zone alone."""
    chosen = [
        record
        for record in records
        if wanted.period.start <= record.at < wanted.period.end
        and wanted.model in (None, record.model)
        and wanted.alias in (None, record.alias)
        and wanted.origin in (None, record.origin)
    ]
    return totals_of(
        Cell(
            day=record.at.astimezone(zone).date(),
            model=record.model,
            alias=record.alias,
            origin=record.origin,
            sums=sums_of(record),
        )
        for record in chosen
    )


class TestTotals:
    @settings(
        max_examples=150,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        week=st.sampled_from(WEEKS),
        changes=records,
        ends=st.tuples(instants, instants).map(sorted),
        filters=wanted,
        cut=st.integers(0, 12),
    )
    async def test_are_the_sums_of_the_records_for_every_period_zone_and_filter(
        self,
        begin: Begin[UsageWork],
        week: tuple[str, datetime],
        changes: list[dict[str, Any]],
        ends: list[timedelta],
        filters: dict[str, str | None],
        cut: int,
    ) -> None:
        zone, monday = ZoneInfo(week[0]), week[1]
        project = ProjectId(f"p{next(_projects)}")  # a new one for each example
        appended = [
            usage_record(**change | {"project": project, "at": monday + change["at"]})
            for change in changes
        ]
        asked = selection(monday + ends[0], monday + ends[1], **filters)
        async with begin() as work:
            await work.usage.append(appended[:cut])
            await work.usage.append(appended[cut:])
        assert await read(begin, asked, zone, project) == brute_force(appended, asked, zone)

    async def test_are_right_for_two_centuries_of_days(self, begin: Begin[UsageWork]) -> None:
        zone = ZoneInfo("Europe/Berlin")
        years = (datetime(year, 7, 1, tzinfo=UTC) for year in (1970, 1999, 2026, 2100, 2199))
        appended = [usage_record(at=at) for at in years]
        ever = selection(datetime(1970, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, tzinfo=UTC))
        async with begin() as work:
            await work.usage.append(appended)
        assert await read(begin, ever, zone) == brute_force(appended, ever, zone)

    async def test_are_read_though_the_zone_has_no_such_day(self, begin: Begin[UsageWork]) -> None:
        zone, before = ZoneInfo("Pacific/Apia"), datetime(2011, 12, 30, 9, 59, tzinfo=UTC)
        appended = [usage_record(at=before), usage_record(at=before + HOUR)]
        async with begin() as work:
            await work.usage.append(appended)
        days = await read(begin, selection(before - HOUR, before + 2 * HOUR), zone)
        dates = sorted(day for day, _ in days.by_day_and_model)
        assert dates == [date(2011, 12, 29), date(2011, 12, 31)]

    async def test_leave_other_projects_out(self, begin: Begin[UsageWork]) -> None:
        async with begin() as work:
            await work.usage.append([usage_record(project=P2), usage_record(project=P2, at=NOON)])
        assert await read(begin, EVERYTHING, ZoneInfo("UTC")) == totals_of([])

    async def test_tell_apart_names_that_look_alike(self, begin: Begin[UsageWork]) -> None:
        pairs = [("ab", "c"), ("a", "bc"), (None, "abc"), ("", "abc"), ("abc", None), ("abc", "")]
        async with begin() as work:
            await work.usage.append([usage_record(alias=a, origin=o) for a, o in pairs])
        found = await read(begin, EVERYTHING, ZoneInfo("UTC"))
        for index, direction in enumerate((found.by_alias, found.by_origin)):
            seen = {name: sums.requests for name, sums in direction.items()}
            assert seen == Counter(pair[index] for pair in pairs)


class TestExactness:
    @pytest.mark.parametrize("aligned", [True, False], ids=["totals", "records"])
    async def test_cost_is_exact_far_beyond_64_bits_of_picodollars(
        self, begin: Begin[UsageWork], aligned: bool
    ) -> None:
        price = Decimal("999999.999999999999")
        period = AROUND if aligned else Period(start=NOON, end=NOON + MICROSECOND)
        for _ in range(2):  # 20 million dollars
            async with begin() as work:
                await work.usage.append([usage_record(cost_usd=price) for _ in range(10)])
        assert (await total(begin, period)).cost_usd == Decimal("19999999.99999999998")

    @pytest.mark.parametrize("aligned", [True, False], ids=["totals", "records"])
    async def test_rows_of_2_to_the_53_minus_1_tokens_add_up(
        self, begin: Begin[UsageWork], aligned: bool
    ) -> None:
        period = AROUND if aligned else Period(start=NOON, end=NOON + MICROSECOND)
        tokens = Tokens(input_uncached=1, input_cache_read=MAX_COUNT - 1, output=MAX_COUNT)
        async with begin() as work:
            await work.usage.append([usage_record(tokens=tokens) for _ in range(2)])
        sums = await total(begin, period)
        assert (sums.input_tokens, sums.output_tokens) == (2**54 - 2, 2**54 - 2)
        assert sums.cached_input_tokens == 2**54 - 4

    async def test_the_sum_of_full_days_may_pass_64_bits(self, begin: Begin[UsageWork]) -> None:
        for number in range(3):
            at = NOON + timedelta(days=number)
            async with begin() as work:
                await work.usage.append([usage_record(at=at, tokens=FULL) for _ in range(1000)])
        days = selection(NOON - HOUR, NOON + timedelta(days=3))
        found = await read(begin, days, ZoneInfo("UTC"))
        (alias,) = found.by_alias.values()
        assert alias.input_tokens == 3000 * MAX_COUNT > MAX_TOTAL

    async def test_records_of_part_of_a_quarter_may_pass_64_bits(
        self, begin: Begin[UsageWork]
    ) -> None:
        for model in ("m1", "m2"):
            async with begin() as work:
                batch = [usage_record(model=model, tokens=FULL) for _ in range(600)]
                await work.usage.append(batch)
        found = await read(begin, selection(NOON, NOON + MICROSECOND), ZoneInfo("UTC"))
        sums = found.by_day_and_model.values()
        assert [one.input_tokens for one in sums] == [600 * MAX_COUNT] * 2

    async def test_a_correction_counts_as_no_request_and_lowers_the_cost(
        self, begin: Begin[UsageWork]
    ) -> None:
        correction = {"kind": "adjustment", "tokens": Tokens()}
        async with begin() as work:
            await work.usage.append(
                [
                    usage_record(cost_usd=Decimal("0.3")),
                    usage_record(cost_usd=Decimal("-0.100000000001"), **correction),
                    usage_record(cost_usd=Decimal("-0.5"), **correction),
                ]
            )
        sums = await total(begin)
        assert (sums.requests, sums.cost_usd) == (1, Decimal("-0.300000000001"))

    async def test_calls_without_a_price_are_counted_and_cost_nothing(
        self, begin: Begin[UsageWork]
    ) -> None:
        free, unpriced = usage_record(cost_usd=Decimal(0)), usage_record(cost_usd=None)
        async with begin() as work:
            await work.usage.append([free, unpriced])
        sums = await total(begin)
        assert (sums.requests, sums.unpriced, sums.cost_usd) == (2, 1, Decimal(0))


class TestOverflow:
    @pytest.mark.parametrize("member", ["input_uncached", "output_reasoning"])
    @pytest.mark.parametrize("blocks", [[BLOCKS], [BLOCKS - 1, 1]], ids=["at once", "by and by"])
    async def test_a_full_day_refuses_more_and_keeps_nothing_of_the_block(
        self, begin: Begin[UsageWork], member: str, blocks: list[int]
    ) -> None:
        tokens = Tokens(**{member: MAX_COUNT})
        *fitting, refused = ([usage_record(tokens=tokens) for _ in range(n)] for n in blocks)
        for batch in fitting:
            async with begin() as work:
                await work.usage.append(batch)
        with pytest.raises(TotalsOverflow):
            async with begin() as work:
                await work.usage.append([usage_record(model="another")])
                await work.usage.append(refused)
        async with begin() as work:
            left = await work.usage.newest(P1, EVERYTHING, limit=BLOCKS + 1)
        expected = brute_force(left, EVERYTHING, ZoneInfo("UTC"))
        assert len(left) == sum(map(len, fitting))
        assert await read(begin, EVERYTHING, ZoneInfo("UTC")) == expected

    async def test_another_model_still_fits(self, begin: Begin[UsageWork]) -> None:
        async with begin() as work:
            await work.usage.append([usage_record(tokens=FULL) for _ in range(BLOCKS - 1)])
            await work.usage.append([usage_record(tokens=FULL, model="another")])
        found = await read(begin, EVERYTHING, ZoneInfo("UTC"))
        assert {model for _, model in found.by_day_and_model} == {RECORD.model, "another"}
