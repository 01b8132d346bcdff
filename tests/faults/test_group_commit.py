"""What a group does to those in it when the store misbehaves. The store is a list here."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from llmring_adapters.group_commit import MAX_WAIT_S, GroupCommit
from llmring_adapters.usage.intake import GroupIntake
from llmring_core.errors import Overloaded, StoreUnavailable
from llmring_core.idempotency import AlreadyAnswered
from llmring_core.usage import Entry
from tests.builders.idempotency import answer
from tests.builders.kernel import NOON, FakeClock
from tests.builders.usage import usage_record


class Store:
    """Keeps what is written, unless ``fails`` raises; can be held back."""

    def __init__(self) -> None:
        self.kept: list[Entry] = []
        self.groups: list[int] = []  # sizes, of every attempt
        self.fails: Callable[[Sequence[Entry]], None] = lambda _: None
        self.open = asyncio.Event()
        self.open.set()
        self.closed_with: int | None = None

    async def __call__(self, entries: Sequence[Entry]) -> list[None]:
        self.groups.append(len(entries))
        await self.open.wait()
        self.fails(entries)
        self.kept += entries
        return [None] * len(entries)

    async def close(self) -> None:
        self.closed_with = len(self.kept)


@pytest.fixture
def store() -> Store:
    return Store()


def entry(*keys: str) -> Entry:
    answers = tuple(answer(key=key) for key in keys)
    return Entry(record=usage_record(), answers=answers, taken_at=NOON)


async def waiting(intake: GroupIntake, *entries: Entry) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(intake.take(one)) for one in entries]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def outcomes(tasks: Sequence[asyncio.Task[None]]) -> list[BaseException | None]:
    async with asyncio.timeout(5):
        return await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_comes_during_a_commit_shares_the_next_one(store: Store) -> None:
    intake = GroupCommit(store)
    store.open.clear()
    tasks = await waiting(intake, *(entry() for _ in range(7)))
    store.open.set()
    assert await outcomes(tasks) == [None] * 7
    assert sum(store.groups) == 7 and len(store.groups) <= 2


async def test_beyond_its_bound_callers_are_sent_away_at_once(store: Store) -> None:
    intake = GroupCommit(store, max_waiting=3)
    store.open.clear()
    tasks = await waiting(intake, entry())
    tasks += await waiting(intake, *(entry() for _ in range(3)))
    with pytest.raises(Overloaded):
        await intake.take(entry())
    store.open.set()
    assert await outcomes(tasks) == [None] * 4
    await intake.take(entry())
    assert len(store.kept) == 5


async def test_whoever_waited_too_long_is_sent_away_and_not_written(store: Store) -> None:
    clock = FakeClock()
    intake = GroupCommit(store, time_s=clock.seconds)
    store.open.clear()
    tasks = await waiting(intake, entry())
    tasks += await waiting(intake, entry(), entry())
    clock.pass_by(timedelta(seconds=MAX_WAIT_S + 0.1))
    tasks += await waiting(intake, entry())
    store.open.set()
    assert [type(outcome) for outcome in await outcomes(tasks)] == [
        type(None),
        Overloaded,
        Overloaded,
        type(None),
    ]
    assert len(store.kept) == 2


async def test_an_outage_fails_all_who_wait_with_one_attempt(store: Store) -> None:
    def away(_: Sequence[Entry]) -> None:
        raise StoreUnavailable("away")

    intake = GroupCommit(store)
    store.open.clear()
    tasks = await waiting(intake, entry())
    tasks += await waiting(intake, *(entry() for _ in range(2_000)))
    store.fails = away
    store.open.set()
    assert {type(outcome) for outcome in await outcomes(tasks)} == {StoreUnavailable}
    assert len(store.groups) == 1

    store.fails = lambda _: None
    await intake.take(entry())
    assert len(store.kept) == 1


async def test_an_outage_while_looking_for_the_bad_one_ends_the_search(store: Store) -> None:
    def fails(entries: Sequence[Entry]) -> None:
        if len(entries) > 1:
            raise ValueError("one of them is bad")
        raise StoreUnavailable("away")

    store.fails = fails
    intake = GroupCommit(store)
    tasks = await waiting(intake, *(entry() for _ in range(8)))
    assert {type(outcome) for outcome in await outcomes(tasks)} == {StoreUnavailable}
    assert len(store.groups) == 4  # 8, 4, 2, 1


@pytest.mark.parametrize("bad", [0, 7, 499])
async def test_a_bug_over_one_entry_costs_no_other(store: Store, bad: int) -> None:
    entries = [entry() for _ in range(500)]

    def fails(found: Sequence[Entry]) -> None:
        if entries[bad] in found:
            raise TypeError("a bug")

    store.fails = fails
    tasks = await waiting(GroupCommit(store), *entries)
    found = await outcomes(tasks)
    assert [n for n, outcome in enumerate(found) if outcome is not None] == [bad]
    assert isinstance(found[bad], TypeError)
    assert len(store.kept) == 499
    assert len(store.groups) < 25  # halves, not one by one


async def test_a_refusal_that_names_nobody_refuses_all_rather_than_trying_for_ever(
    store: Store,
) -> None:
    def fails(_: Sequence[Entry]) -> None:
        raise AlreadyAnswered([answer(key="of nobody").name])

    store.fails = fails
    tasks = await waiting(GroupCommit(store), entry("a"), entry("b"))
    assert {type(outcome) for outcome in await outcomes(tasks)} == {AlreadyAnswered}


async def test_names_repeated_in_a_group_wait_for_the_first_ones_commit(store: Store) -> None:
    intake = GroupCommit(store)
    tasks = await waiting(intake, entry("a"), entry("b"), entry("a"), entry("c"), entry("a"))
    assert await outcomes(tasks) == [None] * 5
    assert store.groups == [2, 2, 1]


async def test_closing_writes_what_was_taken_from_callers_who_left(store: Store) -> None:
    intake = GroupCommit(store, close=store.close)
    store.open.clear()
    tasks = await waiting(intake, *(entry() for _ in range(5)))
    for task in tasks:
        task.cancel()
    closing = asyncio.create_task(intake.close())
    await asyncio.sleep(0.01)
    assert not closing.done()
    store.open.set()
    await closing
    assert len(store.kept) == 5
    assert store.closed_with == 5


async def test_nobody_waits_for_ever_when_the_writing_itself_is_cancelled(store: Store) -> None:
    intake = GroupCommit(store)
    before = asyncio.all_tasks()
    store.open.clear()
    tasks = await waiting(intake, entry(), entry())
    tasks += await waiting(intake, entry())
    (writing,) = asyncio.all_tasks() - before - set(tasks)
    writing.cancel()
    assert {type(outcome) for outcome in await outcomes(tasks)} == {StoreUnavailable}

    store.open.set()
    await intake.take(entry())
    assert len(store.kept) == 1
