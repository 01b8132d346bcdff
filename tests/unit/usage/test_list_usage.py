"""Paging through a project's calls: everything exactly once, whatever arrives meanwhile."""

from datetime import timedelta

import pytest

from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.transactions.memory import memory_transactions
from llmring_core.errors import InvalidField
from llmring_core.pages import PageRequest, cursor_of
from llmring_core.transactions import Begin
from llmring_core.usage import ListUsage, UsageRecord
from tests.builders.kernel import MICROSECOND, NOON, P1, P2
from tests.builders.usage import EVERYTHING, selection, usage_record


@pytest.fixture
def begin() -> Begin[AllWork]:
    return memory_transactions()


async def kept(begin: Begin[AllWork], *records: UsageRecord) -> None:
    async with begin() as work:
        await work.usage.append(records)


def some_records() -> list[UsageRecord]:
    """Return 23 records, oldest first, most of them at the same instant as another."""
    return [usage_record(at=NOON + number // 5 * MICROSECOND) for number in range(23)]


@pytest.mark.parametrize("limit", [1, 2, 5, 22, 23, 24, 500])
async def test_cursors_walk_everything_exactly_once_though_more_arrives(
    begin: Begin[AllWork], limit: int
) -> None:
    records = some_records()
    await kept(begin, *records)
    page = PageRequest(limit=limit)
    pages: list[list[UsageRecord]] = []
    while True:
        found = await ListUsage(begin)(P1, EVERYTHING, page)
        pages.append(found.items)
        if found.next is None:
            break
        await kept(begin, usage_record(at=NOON + timedelta(hours=1)))
        page = PageRequest(limit=limit, cursor=found.next)
    assert pages == [records[::-1][first : first + limit] for first in range(0, 23, limit)]


@pytest.mark.parametrize("limit", [1, 5, 7, 23])
async def test_offsets_walk_everything_exactly_once(begin: Begin[AllWork], limit: int) -> None:
    records = some_records()
    await kept(begin, *records)
    seen: list[UsageRecord] = []
    for offset in range(0, len(records), limit):
        page = PageRequest(limit=limit, offset=offset)
        seen += (await ListUsage(begin)(P1, EVERYTHING, page)).items
    assert seen == records[::-1]


async def test_a_page_keeps_to_the_selection_and_the_project(begin: Begin[AllWork]) -> None:
    mine = usage_record(model="m")
    await kept(begin, mine, usage_record(), usage_record(model="m", project=P2))
    of_m = selection(EVERYTHING.period.start, EVERYTHING.period.end, model="m")
    page = await ListUsage(begin)(P1, of_m, PageRequest())
    assert (page.items, page.next) == ([mine], None)


async def test_another_projects_cursor_shows_nothing_of_it(begin: Begin[AllWork]) -> None:
    mine, theirs = usage_record(), [usage_record(project=P2) for _ in range(2)]
    await kept(begin, mine, *theirs)
    cursor = (await ListUsage(begin)(P2, EVERYTHING, PageRequest(limit=1))).next
    page = await ListUsage(begin)(P1, EVERYTHING, PageRequest(cursor=cursor))
    assert page.items == [mine]


async def test_nothing_is_an_empty_last_page(begin: Begin[AllWork]) -> None:
    page = await ListUsage(begin)(P1, EVERYTHING, PageRequest())
    assert (page.items, page.next) == ([], None)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "null",
        "{}",
        "[]",
        "not JSON",
        '{"at":"2026-11-20T12:00:00Z"}',
        '{"at":"yesterday","id":"x"}',
        '{"at":"2026-11-20T12:00:00","id":"x"}',
        '{"at":"9999-12-31T23:59:59-14:00","id":"x"}',
        '{"at":"2026-11-20T12:00:00Z","id":"\\u0000"}',
        '{"at":"2026-11-20T12:00:00Z","id":7}',
        "[" * 100_000,
    ],
)
async def test_a_cursor_made_by_hand_is_refused(begin: Begin[AllWork], key: str) -> None:
    page = PageRequest(cursor=cursor_of(key))
    with pytest.raises(InvalidField, match="cursor"):
        await ListUsage(begin)(P1, EVERYTHING, page)
