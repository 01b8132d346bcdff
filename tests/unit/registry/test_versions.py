from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmring_core.registry import VersionNotFound
from llmring_core.registry.versions import next_version, order_of, version_of

ORDERED = [
    "2025.12.31",
    "2026.01.02",
    "2026.01.02.2",
    "2026.01.02.3",
    "2026.01.02.10",
    "2026.01.10",
]
NO_VERSIONS = [
    "",
    "1",
    "2026.8.18",
    "2026-08-18",
    "2026.02.30",
    "2026.08.18.0",
    "2026.08.18.1",
    "2026.08.18.02",
    "2026.08.18.10000",
    "2026.08.18\n",
    "٢٠٢٦.٠٨.١٨",
    "..",
    "2026.08.18/../x",
    "9" * 1024,
]

orders = st.tuples(st.dates(date(1000, 1, 1)), st.integers(1, 9999))


def test_versions_sort_by_their_numbers_and_not_as_text() -> None:
    assert [order_of(v) for v in ORDERED] == sorted(order_of(v) for v in ORDERED)


@pytest.mark.parametrize("text", NO_VERSIONS)
def test_what_is_no_version_is_not_found(text: str) -> None:
    with pytest.raises(VersionNotFound):
        order_of(text)


@given(orders)
def test_a_name_reads_back_as_its_order(order: tuple[date, int]) -> None:
    assert order_of(version_of(order)) == order


@pytest.mark.parametrize(
    ("latest", "today", "expected"),
    [
        ("2026.08.18", date(2026, 11, 20), "2026.11.20"),
        ("2026.11.20", date(2026, 11, 20), "2026.11.20.2"),
        ("2026.11.20.9", date(2026, 11, 20), "2026.11.20.10"),
        ("2026.11.21", date(2026, 11, 20), "2026.11.21.2"),
    ],
)
def test_the_next_version_is_todays_or_one_more(latest: str, today: date, expected: str) -> None:
    assert next_version(latest, today) == expected


@given(latest=orders.filter(lambda order: order[1] < 9999), today=st.dates(date(1000, 1, 1)))
def test_the_next_version_is_always_later(latest: tuple[date, int], today: date) -> None:
    assert order_of(next_version(version_of(latest), today)) > latest
