"""What stands for a line that has no name, and when a line may have happened."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmring_core.errors import InvalidField
from llmring_core.usage import Line, UsageToLog, named_by_content
from llmring_core.usage.batches import check_instant
from tests.builders.kernel import MICROSECOND, NOON
from tests.builders.usage import call

CALLS = [call(), call(origin="a"), call(metadata={"a": 1}), call(client_log_id="mine")]


def lines(calls: list[UsageToLog], at: datetime | None = None) -> list[Line]:
    return [Line(index=index, call=one, at=at) for index, one in enumerate(calls)]


def names(found: tuple[Line, ...]) -> list[str | None]:
    return [line.name for line in found]


@given(st.lists(st.sampled_from(CALLS)), st.integers(min_value=1, max_value=5))
def test_a_file_has_the_same_names_however_it_is_cut(calls: list[UsageToLog], size: int) -> None:
    every = lines(calls)
    seen: Counter[str] = Counter()
    cut = [named_by_content(every[i : i + size], seen) for i in range(0, len(every), size)]
    whole = names(named_by_content(every, Counter()))
    assert [name for part in cut for name in names(part)] == whole
    unnamed = [name for name in whole if name is not None]
    assert len(set(unnamed)) == len(unnamed) == sum(one.client_log_id is None for one in calls)


@given(st.permutations(CALLS * 2))
def test_order_does_not_matter(calls: list[UsageToLog]) -> None:
    one, other = (
        named_by_content(lines(calls), Counter()),
        named_by_content(lines(CALLS * 2), Counter()),
    )
    assert sorted(map(str, names(one))) == sorted(map(str, names(other)))


def test_the_time_is_part_of_what_a_line_says() -> None:
    now, later = (named_by_content(lines([call()], at), Counter()) for at in (None, NOON))
    assert names(now) != names(later)


@pytest.mark.parametrize(
    "at", [NOON, NOON + timedelta(minutes=5), datetime(2000, 1, 1, tzinfo=UTC)]
)
def test_a_call_may_have_happened_since_2000(at: datetime) -> None:
    check_instant(at, NOON)


@pytest.mark.parametrize(
    "at",
    [NOON + timedelta(minutes=5) + MICROSECOND, datetime(2000, 1, 1, tzinfo=UTC) - MICROSECOND],
)
def test_but_neither_before_nor_in_the_future(at: datetime) -> None:
    with pytest.raises(InvalidField, match="logged_at"):
        check_instant(at, NOON)
