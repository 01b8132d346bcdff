"""One set of cells, added up in every direction: every direction agrees."""

from datetime import date, timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmring_core.usage import (
    MAX_COUNT,
    Cell,
    DaySums,
    Sums,
    Tokens,
    add,
    summarise,
    sums_of,
    totals_of,
)
from tests.builders.usage import RECORD, added_up, cell, usage_record

FIRST = date(2026, 12, 1)
GROUPINGS = ["day", "week", "month"]

counts = st.one_of(st.integers(0, 100), st.integers(0, MAX_COUNT))
sums = st.builds(
    Sums,
    requests=counts,
    input_tokens=counts,
    cached_input_tokens=counts,
    output_tokens=counts,
    cost_usd=st.decimals(-1_000_000, 10**12, places=12),
    unpriced=counts,
)
names = st.sampled_from([None, "", "a", "ß"])
cells = st.lists(
    st.builds(
        Cell,
        day=st.integers(0, 70).map(lambda days: FIRST + timedelta(days=days)),
        model=st.sampled_from(["m", "M", "ω"]),
        alias=names,
        origin=names,
        sums=sums,
    ),
    max_size=15,
)


@given(cells, st.sampled_from(GROUPINGS))
def test_every_direction_adds_up_to_the_total(cells: list[Cell], group_by: str) -> None:
    summary = summarise(totals_of(cells), group_by)
    assert summary.total == add(cell.sums for cell in cells)
    for direction in (summary.by_model, summary.by_alias, summary.by_origin):
        assert add(direction.values()) == summary.total
    for periods in (summary.by_day, summary.by_period):
        assert add(period.sums for period in periods) == summary.total


@given(cells, st.sampled_from(GROUPINGS))
def test_each_group_is_the_sum_of_its_cells(cells: list[Cell], group_by: str) -> None:
    summary = summarise(totals_of(cells), group_by)
    assert summary.by_model == added_up(cells, lambda cell: cell.model)
    assert summary.by_alias == added_up(cells, lambda cell: cell.alias)
    assert summary.by_origin == added_up(cells, lambda cell: cell.origin)
    assert {day.first_day: day.sums for day in summary.by_day} == added_up(
        cells, lambda cell: cell.day
    )


@given(cells, st.sampled_from(GROUPINGS), st.randoms(use_true_random=False))
def test_the_order_of_the_cells_does_not_matter(
    cells: list[Cell], group_by: str, random: Random
) -> None:
    shuffled = random.sample(cells, len(cells))
    assert summarise(totals_of(shuffled), group_by) == summarise(totals_of(cells), group_by)


@given(cells, st.sampled_from(GROUPINGS))
def test_cells_may_come_in_pieces(cells: list[Cell], group_by: str) -> None:
    pieces = [*cells, *cells]
    assert summarise(totals_of(pieces), group_by).total == add([add(c.sums for c in cells)] * 2)
    assert len(summarise(totals_of(pieces), group_by).by_day) == len(
        summarise(totals_of(cells), group_by).by_day
    )


@given(st.lists(sums, max_size=6), st.integers(0, 6))
def test_adding_is_associative(parts: list[Sums], cut: int) -> None:
    assert add([add(parts[:cut]), add(parts[cut:])]) == add(parts)


def test_nothing_adds_up_to_nothing() -> None:
    summary = summarise(totals_of([]), "day")
    assert summary.total == Sums()
    assert (summary.by_day, summary.by_period, summary.by_model) == ([], [], {})


def test_groups_are_ordered_by_name_and_what_has_none_comes_last() -> None:
    some = [cell(model=name, alias=name, origin=name) for name in ("b", "", "ß", "B")]
    summary = summarise(totals_of([cell(model="m"), *some]), "day")
    assert list(summary.by_model) == ["", "B", "b", "m", "ß"]
    assert list(summary.by_alias) == list(summary.by_origin) == ["", "B", "b", "ß", None]


@pytest.mark.parametrize(
    ("group_by", "first_days"),
    [
        ("day", ["2027-01-04", "2027-01-03", "2027-01-01", "2026-12-31", "2026-12-28"]),
        ("week", ["2027-01-04", "2026-12-28"]),  # the week of New Year began in December
        ("month", ["2027-01-01", "2026-12-01"]),
    ],
)
def test_periods_are_named_by_their_first_day_newest_first(
    group_by: str, first_days: list[str]
) -> None:
    days = ["2026-12-31", "2027-01-04", "2026-12-28", "2027-01-03", "2027-01-01"]
    summary = summarise(totals_of(cell(day=date.fromisoformat(day)) for day in days), group_by)
    assert [str(period.first_day) for period in summary.by_period] == first_days
    assert [str(day.first_day) for day in summary.by_day] == sorted(days, reverse=True)


class TestTopModel:
    def test_is_the_one_with_the_most_requests_and_not_the_dearest(self) -> None:
        busy = [cell(model="z", alias=alias, requests=2) for alias in ("a", "b")]
        dear = cell(model="a", requests=3, cost_usd=Decimal(1_000_000), output_tokens=10**9)
        (day,) = summarise(totals_of([dear, *busy]), "day").by_day
        assert day.top_model == "z"

    def test_of_equals_is_the_first_by_name(self) -> None:
        equals = [cell(model=model, requests=2) for model in ("ω", "b", "a", "ä")]
        assert [day.top_model for day in summarise(totals_of(equals), "month").by_period] == ["a"]

    def test_is_chosen_for_each_period(self) -> None:
        days = [
            cell(day=date(2026, 11, 19), model="a", requests=1),
            cell(day=date(2026, 11, 20), model="b", requests=2),
        ]
        summary = summarise(totals_of(days), "week")
        assert [day.top_model for day in summary.by_day] == ["b", "a"]
        assert summary.by_period == [
            DaySums(first_day=date(2026, 11, 16), sums=Sums(requests=3), top_model="b")
        ]


class TestSumsOfARecord:
    def test_count_the_prompt_and_the_answer_whole(self) -> None:
        assert sums_of(RECORD) == Sums(
            requests=1,
            input_tokens=140,  # cache writes are extra
            cached_input_tokens=40,
            output_tokens=61,
            cost_usd=Decimal("123456.000000000001"),
            unpriced=0,
        )

    def test_a_call_without_a_price_is_counted_as_such(self) -> None:
        assert sums_of(usage_record(cost_usd=None, tokens=Tokens())) == Sums(requests=1, unpriced=1)

    def test_a_cache_hit_is_a_request_and_a_correction_is_none(self) -> None:
        kinds = ["call", "cache_hit", "adjustment"]
        assert [sums_of(usage_record(kind=kind)).requests for kind in kinds] == [1, 1, 0]

    def test_a_cost_of_zero_is_a_price(self) -> None:
        assert sums_of(usage_record(cost_usd=Decimal(0))).unpriced == 0
