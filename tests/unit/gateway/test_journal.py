"""What the journal does when callers leave, ends overtake starts, or the store is away."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

import pytest

from llmring_adapters.gateway import journal as journals
from llmring_adapters.gateway.journal import BufferedJournal
from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.transactions.memory import memory_transactions
from llmring_core.errors import StoreUnavailable
from llmring_core.gateway.journal import LEASE, StartedAttempt
from tests.builders.gateway import attempt, journal
from tests.builders.kernel import FakeClock
from tests.builders.usage import usage_record

A, B, C = attempt(1), attempt(2), attempt(3)


class Store:
    """Transactions that wait while ``ready`` is not set, and fail while it ``is_away``."""

    def __init__(self) -> None:
        self.begin = memory_transactions()
        self.ready = asyncio.Event()
        self.ready.set()
        self.is_away = False
        self.transactions = 0

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[AllWork]:
        self.transactions += 1
        await self.ready.wait()
        if self.is_away:
            raise StoreUnavailable("away")
        async with self.begin() as work:
            yield work

    async def kept(self) -> list[StartedAttempt]:
        """Take what is written down."""
        found = []
        async with self.begin() as work:
            while one := await work.attempts.take_lapsed(FakeClock().now + LEASE):
                found.append(one)
        return found


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def written(store: Store) -> BufferedJournal:
    return journal(store, FakeClock())


async def waiting(*calls: Coroutine[object, object, None]) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(call) for call in calls]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_what_starts_together_is_written_together(
    store: Store, written: BufferedJournal
) -> None:
    store.ready.clear()
    tasks = await waiting(*(written.start(attempt(number)) for number in range(10)))
    assert written.open == 0
    store.ready.set()
    await asyncio.gather(*tasks)
    assert (store.transactions, written.open) == (1, 10)


async def test_an_end_before_the_start_is_committed_leaves_nothing(
    store: Store, written: BufferedJournal
) -> None:
    store.ready.clear()
    start = written.start(A), written.start(B)
    (first, second) = await waiting(*start)
    written.end(A.id)
    written.end(B.id)
    (flush,) = await waiting(written.flush())
    store.ready.set()
    await asyncio.gather(first, second, flush)
    assert (await store.kept(), written.open) == ([], 0)


async def test_a_start_nobody_waits_for_any_more_leaves_nothing(
    store: Store, written: BufferedJournal
) -> None:
    store.ready.clear()
    (start,) = await waiting(written.start(A))
    start.cancel()
    (flush,) = await waiting(written.flush())
    store.ready.set()
    await asyncio.gather(start, flush, return_exceptions=True)
    assert (await store.kept(), written.open) == ([], 0)


async def test_a_start_that_fails_leaves_nothing(store: Store, written: BufferedJournal) -> None:
    store.is_away = True
    with pytest.raises(StoreUnavailable):
        await written.start(A)
    assert written.open == 0
    async with store.begin() as work:  # its commit had been done, only nobody was told
        await work.attempts.add([A], FakeClock().now)
    store.is_away = False
    await written.flush()
    assert await store.kept() == []


async def test_what_ended_is_kept_in_mind_while_the_store_is_away(
    store: Store, written: BufferedJournal
) -> None:
    for one in (A, B, C):
        await written.start(one)
    written.end(A.id)
    written.end(C.id)
    store.is_away = True
    with pytest.raises(StoreUnavailable):
        await written.flush()
    store.is_away = False
    await written.flush()
    assert (await store.kept(), written.open) == ([B], 1)


async def test_no_more_is_kept_in_mind_than_there_is_room_for(
    store: Store, written: BufferedJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "MAX_ENDED", 2)
    for one in (A, B, C):
        await written.start(one)
        written.end(one.id)
    await written.flush()
    assert await store.kept() == [A]  # it has a record, so it is found when its lease is over


async def test_more_than_fits_into_a_transaction_is_forgotten_in_several(
    store: Store, written: BufferedJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "AT_ONCE", 2)
    for one in (A, B, C):
        await written.start(one)
    await written.renew()
    for one in (A, B, C):
        written.end(one.id)
    await written.flush()
    assert await store.kept() == []


async def test_with_nothing_to_do_the_store_is_not_asked(
    store: Store, written: BufferedJournal
) -> None:
    await written.flush()
    await written.renew()
    assert store.transactions == 0


async def test_what_is_in_the_ledger_is_no_longer_under_way(
    store: Store, written: BufferedJournal
) -> None:
    await written.start(A)
    await written.start(B)
    async with store.begin() as work:
        await work.usage.append([usage_record(id=A.id)])
    await written.renew()
    assert written.open == 1


async def test_what_is_given_up_is_written_down_and_not_renewed(
    store: Store, written: BufferedJournal
) -> None:
    await written.start(A)
    written.give_up(A.id)
    await written.renew()
    await written.flush()
    assert (await store.kept(), written.open) == ([A], 0)


async def test_what_ended_is_forgotten_before_it_is_closed(
    store: Store, written: BufferedJournal
) -> None:
    await written.start(A)
    written.end(A.id)
    await written.close()
    assert await store.kept() == []
