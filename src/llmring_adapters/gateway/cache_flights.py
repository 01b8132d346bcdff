"""One fetch for all who want the same at the same moment."""

from asyncio import CancelledError, Future, get_running_loop, wait
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from llmring_core.gateway.caching import CacheKey, Flights, StoredAnswer, Turn

WAIT_S = 10.0  # for somebody else's fetch; then for one's own

Told = StoredAnswer | bool | None  # what has landed, or True: fetch for all of us
Waiting = deque[Future[Told]]


class SharedFlights(Flights):
    """For the callers of one process."""

    def __init__(self, wait_s: float = WAIT_S) -> None:
        self._wait_s = wait_s
        self._waiting: dict[CacheKey, Waiting] = {}  # while somebody fetches

    @property
    def under_way(self) -> int:
        """How many keys are being fetched."""
        return len(self._waiting)

    @property
    def waiting(self) -> int:
        """How many callers wait for somebody else's fetch."""
        return sum(map(len, self._waiting.values()))

    def take(self, key: CacheKey) -> AbstractAsyncContextManager[Turn]:
        return self._taken(key)

    @asynccontextmanager
    async def _taken(self, key: CacheKey) -> AsyncIterator[Turn]:
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = deque()
            told: Told = True
        else:
            told = await self._told(key, waiting)
        if told is not True:
            yield _Follower(told or None)
            return
        turn = _Leader(self, key)
        try:
            yield turn
        finally:
            turn.leave()

    async def _told(self, key: CacheKey, waiting: Waiting) -> Told:
        """Wait for one's turn; None when it takes too long."""
        future: Future[Told] = get_running_loop().create_future()
        waiting.append(future)
        try:
            await wait([future], timeout=self._wait_s)
        except CancelledError:
            if not future.done():
                waiting.remove(future)
            elif future.result() is True:  # told to lead in the moment of leaving
                self.hand_over(key)
            raise
        if future.done():
            return future.result()
        waiting.remove(future)
        return None

    def hand_over(self, key: CacheKey) -> None:
        """Let the next who waits fetch for the others."""
        waiting = self._waiting[key]
        if waiting:
            waiting.popleft().set_result(True)
        else:
            del self._waiting[key]

    def land(self, key: CacheKey, answer: StoredAnswer | None) -> None:
        """Let all who wait go on."""
        for future in self._waiting.pop(key):
            future.set_result(answer)


class _Leader(Turn):
    def __init__(self, flights: SharedFlights, key: CacheKey) -> None:
        self._flights = flights
        self._key = key
        self._is_over = False

    @property
    def leads(self) -> bool:
        return True

    @property
    def answer(self) -> StoredAnswer | None:
        return None

    def land(self, answer: StoredAnswer | None) -> None:
        if not self._is_over:
            self._is_over = True
            self._flights.land(self._key, answer)

    def leave(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._flights.hand_over(self._key)


class _Follower(Turn):
    def __init__(self, answer: StoredAnswer | None) -> None:
        self._answer = answer

    @property
    def leads(self) -> bool:
        return False

    @property
    def answer(self) -> StoredAnswer | None:
        return self._answer

    def land(self, answer: StoredAnswer | None) -> None:
        """Nobody waits for it."""
