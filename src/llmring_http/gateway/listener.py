"""Whoever called, for as long as it listens."""

from asyncio import timeout
from collections.abc import Callable

from litestar.types import HTTPResponseBodyEvent, Send

from llmring_http.gateway.connection import Connection


class Drained(Exception):
    """As much was read for a caller who is gone as the bounds allow."""


class Listener:
    """Gets an answer piece by piece. One that takes too long to take a piece counts as gone."""

    def __init__(
        self,
        send: Send,
        connection: Connection,
        send_s: float,
        drain_bytes: int,
        leave: Callable[[], None],
    ) -> None:
        self._send = send
        self._connection = connection
        self._send_s = send_s
        self._drain_bytes = drain_bytes
        self._leave = leave  # called once it takes nothing any more
        self._drained = 0  # bytes, since it is gone
        self.has_started = False  # to get an answer
        self.is_gone = False
        self.is_stuck = False  # it is there and takes nothing any more

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.has_started = True
        if not self.is_gone:
            await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def give(self, piece: bytes, *, more: bool) -> None:
        """Pass a piece on, or count it. Raises Drained."""
        if not piece and more:
            return
        if not self.is_gone:
            await self._give({"type": "http.response.body", "body": piece, "more_body": more})
        if self.is_gone:
            self._drained += len(piece)
            if self._drained > self._drain_bytes:
                raise Drained

    async def _give(self, message: HTTPResponseBodyEvent) -> None:
        try:
            if not self._connection.is_paused():  # so that it does not wait
                await self._send(message)
                return
            async with timeout(self._send_s):
                await self._send(message)
        except (TimeoutError, OSError):
            self.is_stuck = True
            self._leave()
