"""The response cache that several servers share, in a Redis that may be away or lie.

What comes back is used only when it carries the mark of this installation, for exactly this key. So
whoever can write into Redis without its secret can make the cache forget, and nothing else.
"""

import re
from hmac import compare_digest, digest
from urllib.parse import quote, unquote

from msgspec import MsgspecError, msgpack

from llmring_adapters.redis import BoundedRedis, RedisAway
from llmring_core.clock import Clock
from llmring_core.gateway.caching import (
    MAX_PIECES,
    CacheKey,
    CacheStats,
    CacheUnavailable,
    Purge,
    ResponseCache,
    StoredAnswer,
    covers,
    is_fresh,
)
from llmring_core.ids import ProjectId

KEY_PREFIX = "llmproxy:cache:"
SCAN_COUNT = 2048
MARK_BYTES = 32
BESIDES_BODY = 128 * 1024 + 5 * MAX_PIECES  # headers, the framing of the pieces, and the mark
SAFE = "/-._~"
GLOB = re.compile(r"([*?\[\]\\^])")


class RedisResponseCache(ResponseCache):
    """Asks with the bounds of ``BoundedRedis``; its answers outlive no freshness."""

    def __init__(
        self,
        redis: BoundedRedis,
        secret: bytes,
        clock: Clock,
        max_object_bytes: int,
        key_prefix: str = KEY_PREFIX,
        scan_count: int = SCAN_COUNT,
    ) -> None:
        """``secret`` is the same on all servers, at least 16 bytes. Raises ValueError."""
        if len(secret) < 16:
            raise ValueError("the secret that marks cached answers needs at least 16 bytes")
        self._redis = redis
        self._secret = secret
        self._clock = clock
        self._max_value = max_object_bytes + BESIDES_BODY
        self._prefix = key_prefix
        self._scan_count = scan_count
        self._unfit = 0

    async def get(self, key: CacheKey) -> StoredAnswer | None:
        name = self._name(key)
        try:  # one byte more than may be: what is longer is not ours, and is not fetched whole
            value = await self._redis.ask(lambda r: r.getrange(name, 0, self._max_value))
        except RedisAway:
            return None
        if not value:
            return None
        answer = self._read(name, value.encode() if isinstance(value, str) else value)
        if answer is None:
            self._unfit += 1
            return None
        return answer if is_fresh(answer, self._clock()) else None

    async def put(self, key: CacheKey, answer: StoredAnswer) -> bool:
        name = self._name(key)
        body = msgpack.encode(answer)
        left_ms = int((answer.expires_at - self._clock()).total_seconds() * 1000)
        try:
            if len(body) + MARK_BYTES > self._max_value:
                self._unfit += 1
                await self._redis.ask(lambda r: r.delete(name))
                return False
            if left_ms <= 0:
                return False
            value = self._mark(name, body) + body
            return bool(await self._redis.ask(lambda r: r.set(name, value, px=left_ms)))
        except RedisAway:
            return False

    async def purge(self, purge: Purge) -> int:
        wanted = "*" if purge.project is None else f"{quote(purge.project, safe='')}:*"
        pattern = GLOB.sub(r"\\\1", self._prefix) + wanted
        cursor, gone = 0, 0
        try:
            while True:
                cursor, names = await self._page(cursor, pattern)
                gone += await self._drop([name for name in names if self._is_covered(purge, name)])
                if cursor == 0:
                    return gone
        except RedisAway as error:
            raise CacheUnavailable from error

    def stats(self) -> CacheStats:
        return CacheStats(entries=None, bytes=None, max_bytes=None, evicted=0, unfit=self._unfit)

    async def aclose(self) -> None:
        await self._redis.close()

    async def _page(self, cursor: int, pattern: str) -> tuple[int, list[bytes]]:
        """Return where to go on, 0 at the end, and some names. Raises RedisAway."""
        cursor, names = await self._redis.ask(
            lambda r: r.scan(cursor, match=pattern, count=self._scan_count)
        )
        return cursor, [name for name in names if isinstance(name, bytes)]  # all of them are

    async def _drop(self, names: list[bytes]) -> int:
        """Return how many were there. Raises RedisAway."""
        return await self._redis.ask(lambda r: r.unlink(*names)) if names else 0

    def _name(self, key: CacheKey) -> str:
        project, path = quote(key.project, safe=""), quote(key.path, safe=SAFE)
        return f"{self._prefix}{project}:{key.method}:{key.address}:{key.digest}:{path}"

    def _is_covered(self, purge: Purge, name: bytes) -> bool:
        parts = name.decode("ascii", "replace").removeprefix(self._prefix).split(":")
        if len(parts) != 5:
            return False  # not ours
        project, method, address, digest_, path = parts
        key = CacheKey(
            project=ProjectId(unquote(project)),
            method=method,
            address=address,
            digest=digest_,
            path=unquote(path),
        )
        return covers(purge, key)

    def _mark(self, name: str, body: bytes) -> bytes:
        return digest(self._secret, name.encode() + b"\0" + body, "sha256")

    def _read(self, name: str, value: bytes) -> StoredAnswer | None:
        mark, body = value[:MARK_BYTES], value[MARK_BYTES:]
        if not compare_digest(mark, self._mark(name, body)):
            return None
        try:
            return msgpack.decode(body, type=StoredAnswer)
        except (MsgspecError, ValueError):  # of an older version of this program
            return None
