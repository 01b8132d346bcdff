"""The load: connections that each send the next request as soon as their answer is complete."""

import asyncio
from array import array
from collections.abc import Callable, Sequence
from sys import maxsize
from time import perf_counter
from typing import Protocol, cast

import uvloop
from msgspec import Struct

HOST = "127.0.0.1"
GRACE_S = 60.0  # for the answers still under way when the time is up
MOST_LOST = 100  # connections; a server that cuts more than these is not being measured
ACCEPTED = (200, 201)


class Workload(Protocol):
    """What is sent, and what becomes of the answers."""

    def next(self) -> tuple[int, bytes]:
        """Return the next request and a number that is handed back with its answer."""

    def accepted(self, number: int, answer: bytes) -> None:
        """Take note of an answer 200 or 201, head and body."""


class Load(Struct, frozen=True, kw_only=True):
    """What a stretch of load showed."""

    connections: int
    seconds: float  # from the first request to the last answer
    statuses: dict[int, int]  # answers by status
    lost: int  # requests without an answer: the connection was cut
    latencies_ms: Sequence[float]  # ascending

    @property
    def answers(self) -> int:
        return len(self.latencies_ms)

    @property
    def accepted(self) -> int:
        return sum(self.statuses.get(status, 0) for status in ACCEPTED)

    @property
    def per_second(self) -> float:
        """Accepted requests; refusals are not work done."""
        return self.accepted / self.seconds if self.seconds else 0.0

    @property
    def p50_ms(self) -> float:
        return percentile(self.latencies_ms, 0.50)

    @property
    def p99_ms(self) -> float:
        return percentile(self.latencies_ms, 0.99)

    @property
    def refusals(self) -> str:
        """What else was answered, such as ``503: 12``; empty when nothing."""
        found = sorted(self.statuses.items())
        others = [f"{status}: {n}" for status, n in found if status not in ACCEPTED]
        return ", ".join(others + [f"cut: {self.lost}"] * bool(self.lost))


def percentile(ascending: Sequence[float], share: float) -> float:
    """Return the smallest value that at least ``share`` of the values do not exceed."""
    if not ascending:
        return float("nan")
    return ascending[max(0, -int(-len(ascending) * share // 1) - 1)]


def drive(
    port: int,
    workload: Workload,
    connections: int,
    seconds: float,
    count: int = maxsize,
    connection: "Callable[[Stretch], Connection] | None" = None,
) -> Load:
    """Load the server until the time is up or ``count`` requests are sent, whichever is first.

    Raises: TimeoutError, ConnectionError.
    """
    stretch = Stretch(port, workload, count, connection or Connection)
    return uvloop.run(_drive(stretch, connections, seconds))


async def _drive(run: "Stretch", connections: int, seconds: float) -> Load:
    opened = await asyncio.gather(*(run.connect() for _ in range(connections)))
    start = run.last = perf_counter()
    run.until = start + seconds
    for connection in opened:
        connection.send()
    try:
        async with asyncio.timeout(seconds + GRACE_S):
            await run.over.wait()
    finally:
        await run.leave()
    if run.failure is not None:
        raise run.failure
    return Load(
        connections=connections,
        seconds=run.last - start,
        statuses={int(status): n for status, n in run.statuses.items()},
        lost=run.lost,
        latencies_ms=sorted(run.latencies_ms),
    )


class Stretch:
    """What its connections share."""

    def __init__(
        self,
        port: int,
        workload: Workload,
        count: int,
        connection: "Callable[[Stretch], Connection]",
    ) -> None:
        self.workload = workload
        self.left = count
        self.until = 0.0
        self.last = 0.0  # when the last answer was complete
        self.statuses: dict[bytes, int] = {}
        self.latencies_ms = array("d")
        self.lost = 0
        self.failure: Exception | None = None
        self.over = asyncio.Event()
        self._port = port
        self._connection = connection
        self._open: set[Connection] = set()
        self._reconnecting: set[asyncio.Task[None]] = set()

    async def connect(self) -> "Connection":
        loop = asyncio.get_running_loop()
        opened = loop.create_connection(lambda: self._connection(self), HOST, self._port)
        _, connection = await opened
        self._open.add(connection)
        return connection

    async def leave(self) -> None:
        """Cut the connections that a failure has left open."""
        for connection in self._open:
            connection.abort()
        await asyncio.sleep(0)  # else the loop is closed before they are

    def fail(self, error: Exception) -> None:
        self.failure = self.failure or error
        self.over.set()

    def closed(self, connection: "Connection", *, finished: bool, waiting: bool) -> None:
        """A connection has ended: it had nothing more to send, or the server cut it."""
        self._open.discard(connection)
        self.lost += waiting
        if self.lost > MOST_LOST:
            self.fail(ConnectionError(f"the server cut {self.lost} connections"))
        elif not finished and not self.over.is_set():
            task = asyncio.get_running_loop().create_task(self._reconnect())
            self._reconnecting.add(task)
            task.add_done_callback(self._reconnecting.discard)
        elif not self._open and not self._reconnecting:
            self.over.set()

    async def _reconnect(self) -> None:
        try:
            connection = await self.connect()
        except OSError as error:
            self.fail(error)
        else:
            connection.send()


class Connection(asyncio.Protocol):
    """Reads answers whose head says how long they are."""

    def __init__(self, stretch: Stretch) -> None:
        self._run = stretch
        self._received = b""  # of an answer that is not complete
        self._number = 0
        self._sent = 0.0
        self._waiting = False
        self._finished = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # what TCP has, in uvloop too

    def send(self) -> None:
        run = self._run
        if run.left <= 0 or perf_counter() >= run.until:
            self._finished = True
            self._transport.close()
            return
        run.left -= 1
        self._number, request = run.workload.next()
        self._waiting = True
        self._sent = perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._received:
            data = self._received + data
        head = data.find(b"\r\n\r\n")
        if head < 0 or len(data) < head + 4 + _length(data, head):
            self._received = data
            return
        self._received = b""
        self.complete(data[9:12], data)

    def complete(self, status: bytes, answer: bytes) -> None:
        """Take note of an answer, and send the next request."""
        run = self._run
        run.last = now = perf_counter()
        run.latencies_ms.append((now - self._sent) * 1000)
        self._waiting = False
        run.statuses[status] = run.statuses.get(status, 0) + 1
        if int(status) in ACCEPTED:
            try:
                run.workload.accepted(self._number, answer)
            except Exception as error:  # an event loop would only print it
                run.fail(error)
        elif self.closes(answer):
            return  # it will be closed, and opened anew
        self.send()

    def abort(self) -> None:
        self._transport.abort()

    def closes(self, answer: bytes) -> bool:
        """Return whether the server closes the connection behind this answer."""
        return b"connection: close" in answer[: answer.find(b"\r\n\r\n")].lower()

    def connection_lost(self, _: Exception | None) -> None:
        self._run.closed(self, finished=self._finished, waiting=self._waiting)


def _length(data: bytes, head: int) -> int:
    """Return the length of the body. Raises ValueError when the head does not say it."""
    at = data.find(b"content-length:", 0, head)
    if at < 0:
        at = data[:head].lower().index(b"content-length:")
    return int(data[at + 15 : data.find(b"\r", at)])
