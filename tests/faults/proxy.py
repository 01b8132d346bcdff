"""A network that misbehaves: a TCP proxy whose mode can be changed while connections are open."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal

Mode = Literal["pass", "latency", "blackhole", "cut_answers", "refuse"]

PIECE = 2**16
NO_LINGER = struct.pack("ii", 1, 0)  # closing sends RST


class Proxy:
    """Stands before ``target``. ``blackhole`` swallows both ways and says nothing;

    ``cut_answers`` lets requests through and loses what comes back, with the connection.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._pairs: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.mode: Mode = "pass"
        self.latency_s = 0.0  # for each piece, in both directions together
        self.answers_left = 0  # until ``cut_answers`` cuts
        self.port = 0

    def start(self) -> None:
        self.port = self._run(self._listen())

    def set(self, mode: Mode, latency_s: float = 0.0) -> None:
        """Change what happens, also on connections that are open."""
        self.latency_s = latency_s
        self.mode = mode
        self._run(self._refuse() if mode == "refuse" else self._accept())

    def reset(self) -> None:
        """Cut every open connection, with RST."""
        self._run(self._reset())

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return int(self._server.sockets[0].getsockname()[1])

    async def _accept(self) -> None:
        if self._server is None:
            await self._listen()

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._reset()

    async def _reset(self) -> None:
        for writer in list(self._pairs):
            connection = writer.get_extra_info("socket")
            if connection is not None:
                with suppress(OSError):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._pairs.add(writer)
        there: asyncio.StreamWriter | None = None
        try:
            await self._let_through()
            back, there = await asyncio.open_connection(*self._target)
            self._pairs.add(there)
            ways = (self._pump(reader, there, False), self._pump(back, writer, True))
            tasks = [asyncio.create_task(way) for way in ways]
            self._tasks.update(tasks)
            _, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in rest:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._tasks.difference_update(tasks)
        except OSError:  # whoever listens behind us is away
            pass
        finally:
            for end in (writer, there):
                if end is not None:
                    self._pairs.discard(end)
                    end.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: bool
    ) -> None:
        with suppress(OSError):
            while piece := await reader.read(PIECE):
                if answers and self.mode == "cut_answers":
                    if self.answers_left == 0:
                        return
                    self.answers_left -= 1
                await self._let_through()
                await asyncio.sleep(self.latency_s / 2)
                writer.write(piece)
                await writer.drain()

    async def _let_through(self) -> None:
        while self.mode == "blackhole":  # noqa: ASYNC110  the mode is set from another thread
            await asyncio.sleep(0.01)

    async def _stop(self) -> None:
        await self._refuse()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


@contextmanager
def proxy(host: str, port: int) -> Iterator[Proxy]:
    """A proxy before ``host:port``, in a thread of its own."""
    found = Proxy((host, port))
    thread = threading.Thread(target=found._loop.run_forever, daemon=True)
    thread.start()
    try:
        found.start()
        yield found
    finally:
        found._run(found._stop())
        found._loop.call_soon_threadsafe(found._loop.stop)
        thread.join()
        found._loop.close()
