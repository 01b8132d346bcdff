"""Redis as something that may be away: every command is short, and a failure is remembered.

Its library is imported with the first client: a server that shares no Redis is 6 MB smaller.
"""

import logging
from asyncio import get_running_loop, timeout
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

COMMAND_S = 0.3  # with connecting, and trying again on a connection that was closed meanwhile
PAUSE_S = 1.0  # after a failure nothing is tried, so that a Redis that hangs costs nobody more
CONNECTIONS = 10

Answer = TypeVar("Answer")
Client = Any  # redis.asyncio.Redis, whose commands return anything, too

log = logging.getLogger(__name__)


class RedisAway(Exception):
    """There is no answer to rely on. Whoever asks goes on without Redis."""


class BoundedRedis:
    """A client whose commands take at most ``command_s``, and none for a second after a failure."""

    def __init__(
        self, url: str, command_s: float = COMMAND_S, connections: int = CONNECTIONS
    ) -> None:
        """Nothing is connected yet. Raises ValueError for a URL or option nobody can use."""
        from llmring_adapters import redis_client as library  # noqa: PLC0415  see above

        self._client: Client = library.client_of(url, command_s, connections)
        self._refusal = library.ResponseError
        self._failures = (library.RedisError, OSError, RuntimeError, TimeoutError)
        self._command_s = command_s
        self._paused_until = 0.0
        self.failures = 0  # since the start

    async def ask(self, command: Callable[[Client], Awaitable[Answer]]) -> Answer:
        """Return what Redis answers. Raises RedisAway."""
        now = get_running_loop().time
        if now() < self._paused_until:
            raise RedisAway("it failed a moment ago")
        try:
            async with timeout(self._command_s):
                return await self._twice(command)
        except self._refusal as error:  # it is there, and refuses: full, or a key of another type
            self._count(error)
            raise RedisAway(type(error).__name__) from error
        except self._failures as error:
            self._paused_until = now() + PAUSE_S
            self._count(error)
            raise RedisAway(type(error).__name__) from error

    async def _twice(self, command: Callable[[Client], Awaitable[Answer]]) -> Answer:
        """Redis's client tries again on a closed connection, but does not know uvloop's word."""
        try:
            return await command(self._client)
        except RuntimeError:
            await self._client.connection_pool.disconnect(inuse_connections=False)
            return await command(self._client)

    async def state(self) -> str:
        """Return whether it answers, in one word."""
        try:
            await self.ask(lambda client: client.ping())
        except RedisAway:
            return "disconnected"
        return "connected"

    async def close(self) -> None:
        await self._client.aclose()

    def _count(self, error: Exception) -> None:
        self.failures += 1
        log.warning("Redis failed, going on without: %s", type(error).__name__)
