"""Events of one process, handed from the calls to whoever listens in it."""

from asyncio import Event, timeout
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from llmring_core.gateway.events import CallEvent, EventBus

MAX_EVENTS = 1000
MAX_BYTES = 64 * 2**20  # of bodies that wait for one listener


class EventCounts:
    """What became of the events for one listener, since the process began."""

    __slots__ = ("dropped", "taken")

    def __init__(self) -> None:
        self.taken = 0
        self.dropped = 0  # there was no room, or in the end no time


class Subscription:
    """The events that wait for one listener, in their order."""

    def __init__(
        self, counts: EventCounts, max_events: int, max_bytes: int, leave: Callable[[], None]
    ) -> None:
        self._counts = counts
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._leave = leave
        self._waiting: deque[CallEvent] = deque()
        self._bytes = 0
        self._is_over = False
        self._news = Event()

    @property
    def waiting(self) -> int:
        """How many events wait."""
        return len(self._waiting)

    async def take(self, most: int) -> list[CallEvent]:
        """Return what waits, at most so many, once there is any; empty: no more will come."""
        while not self._waiting and not self._is_over:
            self._news.clear()
            await self._news.wait()
        taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        self._bytes -= sum(map(_size, taken))
        self._counts.taken += len(taken)
        return taken

    def leave(self) -> None:
        """Listen no more; what still waits is dropped."""
        self.drop()
        self._leave()

    def put(self, event: CallEvent) -> None:
        """Let ``event`` wait, where there is room."""
        size = self._bytes + _size(event)
        if self._is_over or len(self._waiting) >= self._max_events or size > self._max_bytes:
            self._counts.dropped += 1
            return
        self._bytes = size
        self._waiting.append(event)
        self._news.set()

    def end(self) -> None:
        """Let no more come; what waits can still be taken."""
        self._is_over = True
        self._news.set()

    def drop(self) -> None:
        """Let go of what waits."""
        self._counts.dropped += len(self._waiting)
        self._waiting.clear()
        self._bytes = 0


class MemoryEventBus(EventBus):
    """Each listener has room of its own: one that is slow costs the others nothing."""

    def __init__(
        self, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES, is_on: bool = True
    ) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._is_on = is_on
        self._listening: dict[str, Subscription] = {}
        self._nobody = Event()
        self.published = 0  # while anybody listened
        self.counts: dict[str, EventCounts] = {}  # by listener, also of those who left

    @property
    def is_heard(self) -> bool:
        return self._is_on and bool(self._listening)

    @property
    def waiting(self) -> dict[str, int]:
        """How many events wait for each listener."""
        return {name: listening.waiting for name, listening in self._listening.items()}

    def publish(self, event: CallEvent) -> None:
        if self.is_heard:
            self.published += 1
            for listening in self._listening.values():
                listening.put(event)

    def subscribe(self, name: str) -> Subscription:
        """Return the events from now on, for a listener who leaves when it is done.

        Raises: ValueError when somebody listens as ``name`` already.
        """
        if name in self._listening:
            raise ValueError(f"somebody listens as {name} already")
        counts = self.counts.setdefault(name, EventCounts())
        leave = partial(self._left, name)
        subscription = Subscription(counts, self._max_events, self._max_bytes, leave)
        self._listening[name] = subscription
        return subscription

    async def close(self, within_s: float) -> None:
        """Return when every listener has taken the rest and left, or time is up."""
        for listening in self._listening.values():
            listening.end()
        with suppress(TimeoutError):
            async with timeout(within_s):
                while self._listening:
                    self._nobody.clear()
                    await self._nobody.wait()
        for listening in self._listening.values():
            listening.drop()

    def _left(self, name: str) -> None:
        self._listening.pop(name, None)
        if not self._listening:
            self._nobody.set()


def _size(event: CallEvent) -> int:
    """Return the bytes of what callers and providers wrote at any length."""
    return len(event.request_body) + len(event.response_body) + len(event.model or "")
