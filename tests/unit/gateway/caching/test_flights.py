"""Of all who want the same at the same moment, one fetches; nobody suffers from that one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from llmring_adapters.gateway.cache_flights import SharedFlights
from llmring_core.gateway.caching import CacheKey, StoredAnswer
from tests.builders.caching import a_key, an_answer
from tests.builders.kernel import P2

KEY = a_key()


class Callers:
    """Callers who fetch when it is their turn, and what each of them got."""

    def __init__(self, wait_s: float = 30.0) -> None:
        self.flights = SharedFlights(wait_s)
        self.fetching: list[int] = []
        self.turns: asyncio.Queue[int] = asyncio.Queue()
        self.got: dict[int, StoredAnswer | None] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self._go: dict[int, asyncio.Future[Callable[[], StoredAnswer | None]]] = {}

    async def call(self, n: int, key: CacheKey = KEY) -> None:
        """Let caller ``n`` come."""
        self._go[n] = asyncio.get_running_loop().create_future()
        self.tasks[n] = asyncio.create_task(self._call(n, key))
        await settled()

    async def _call(self, n: int, key: CacheKey) -> None:
        async with self.flights.take(key) as turn:
            if turn.answer is not None:
                self.got[n] = turn.answer
                return
            self.fetching.append(n)
            self.turns.put_nowait(n)
            fetched = (await self._go[n])()
            turn.land(fetched)
            self.got[n] = fetched

    async def land(self, n: int, answer: StoredAnswer | None) -> None:
        self._go[n].set_result(lambda: answer)
        await settled()

    async def fail(self, n: int) -> None:
        def fails() -> StoredAnswer:
            raise OSError("the provider is away")

        self._go[n].set_result(fails)
        await settled()
        assert isinstance(self.tasks[n].exception(), OSError)

    async def cancel(self, n: int) -> None:
        self.tasks[n].cancel()
        await settled()
        assert self.tasks[n].cancelled()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def callers() -> AsyncIterator[Callers]:
    found = Callers()
    yield found
    assert found.flights.under_way == 0
    assert all(task.done() for task in found.tasks.values())


async def test_one_fetches_for_all(callers: Callers) -> None:
    for n in range(100):
        await callers.call(n)
    await callers.land(0, an_answer())
    assert callers.fetching == [0]
    assert callers.got == dict.fromkeys(range(100), an_answer())


async def test_who_comes_afterwards_is_the_first_again(callers: Callers) -> None:
    for n in range(2):
        await callers.call(n)
        await callers.land(n, an_answer())
    assert callers.fetching == [0, 1]


async def test_tenants_do_not_wait_for_each_other(callers: Callers) -> None:
    await callers.call(0)
    await callers.call(1, a_key(P2))
    assert callers.fetching == [0, 1]
    await callers.land(0, an_answer(pieces=[b"mine"]))
    await callers.land(1, an_answer(pieces=[b"theirs"]))
    assert callers.got[1] == an_answer(pieces=[b"theirs"])


async def test_what_is_nobody_elses_is_fetched_by_each_at_once(callers: Callers) -> None:
    for n in range(3):
        await callers.call(n)
    await callers.land(0, None)
    assert callers.fetching == [0, 1, 2]
    for n in (1, 2):
        await callers.land(n, an_answer())
    assert callers.got == {0: None, 1: an_answer(), 2: an_answer()}


@pytest.mark.parametrize("leaving", [Callers.fail, Callers.cancel])
async def test_who_leaves_without_an_answer_hands_over_to_one(
    callers: Callers, leaving: Callable[[Callers, int], Awaitable[None]]
) -> None:
    for n in range(4):
        await callers.call(n)
    await leaving(callers, 0)
    assert callers.fetching == [0, 1]
    await leaving(callers, 1)
    assert callers.fetching == [0, 1, 2]
    await callers.land(2, an_answer())
    assert callers.got == {2: an_answer(), 3: an_answer()}


async def test_who_stops_waiting_is_not_handed_anything(callers: Callers) -> None:
    for n in range(3):
        await callers.call(n)
    await callers.cancel(1)
    await callers.fail(0)
    assert callers.fetching == [0, 2]
    await callers.land(2, an_answer())


async def test_who_leaves_in_the_moment_of_his_turn_passes_it_on(callers: Callers) -> None:
    for n in range(3):
        await callers.call(n)
    waiting = callers.flights._waiting[KEY]
    callers.tasks[0].cancel()
    for _ in range(10):
        if len(waiting) == 1:  # it is the second's turn, who has not noticed yet
            break
        await asyncio.sleep(0)
    assert callers.fetching == [0]
    await callers.cancel(1)
    assert callers.fetching == [0, 2]
    await callers.land(2, an_answer())


async def test_a_slow_one_is_not_waited_for_for_ever() -> None:
    callers = Callers(wait_s=0.01)
    await callers.call(0)
    await callers.call(1)
    while await callers.turns.get() != 1:
        pass
    await callers.land(1, an_answer(pieces=[b"alone"]))
    assert callers.flights.under_way == 1
    await callers.land(0, an_answer())
    assert callers.flights.under_way == 0
