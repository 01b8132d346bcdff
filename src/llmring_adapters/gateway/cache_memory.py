"""The response cache of one process, bounded by bytes."""

from collections import OrderedDict
from heapq import heapify, heappop, heappush

from llmring_core.clock import Clock
from llmring_core.gateway.caching import (
    CacheKey,
    CacheStats,
    Purge,
    ResponseCache,
    StoredAnswer,
    covers,
    is_fresh,
)

MAX_BYTES = 64 * 2**20
ENTRY_BYTES = 1024  # about what one takes besides what is counted singly
PART_BYTES = 64  # the same, of each piece and header


def size_of(key: CacheKey, answer: StoredAnswer) -> int:
    """Return what keeping ``answer`` costs, in bytes."""
    parts = [*answer.pieces, *(part for pair in answer.headers for part in pair)]
    return ENTRY_BYTES + len(key.path) + sum(map(len, parts)) + PART_BYTES * len(parts)


class MemoryResponseCache(ResponseCache):
    """Makes room by forgetting first what has expired, then what was not asked for the longest."""

    def __init__(self, clock: Clock, max_bytes: int = MAX_BYTES) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._kept: OrderedDict[CacheKey, tuple[StoredAnswer, int]] = OrderedDict()
        self._expiring: list[tuple[float, str, CacheKey]] = []  # a heap; some are gone already
        self._bytes = 0
        self._evicted = 0
        self._unfit = 0

    async def get(self, key: CacheKey) -> StoredAnswer | None:
        found = self._kept.get(key)
        if found is None:
            return None
        if not is_fresh(found[0], self._clock()):
            self._forget(key)
            return None
        self._kept.move_to_end(key)
        return found[0]

    async def put(self, key: CacheKey, answer: StoredAnswer) -> bool:
        self._forget(key)
        size = size_of(key, answer)
        if size > self._max_bytes:
            self._unfit += 1
            return False
        self._make_room(size)
        self._kept[key] = answer, size
        self._bytes += size
        heappush(self._expiring, _expiring(key, answer))
        if len(self._expiring) > 2 * len(self._kept) + 16:
            self._expiring = [_expiring(key, kept) for key, (kept, _) in self._kept.items()]
            heapify(self._expiring)
        return True

    async def purge(self, purge: Purge) -> int:
        found = [key for key in self._kept if covers(purge, key)]
        now = self._clock()
        fresh = sum(is_fresh(self._kept[key][0], now) for key in found)
        for key in found:
            self._forget(key)
        return fresh

    def stats(self) -> CacheStats:
        return CacheStats(
            entries=len(self._kept),
            bytes=self._bytes,
            max_bytes=self._max_bytes,
            evicted=self._evicted,
            unfit=self._unfit,
        )

    async def aclose(self) -> None:
        """There is nothing to let go of."""

    def _make_room(self, size: int) -> None:
        now = self._clock()
        while self._bytes + size > self._max_bytes and self._expiring:
            expires_at, _, key = self._expiring[0]
            if expires_at > now.timestamp():
                break
            heappop(self._expiring)
            if key in self._kept and not is_fresh(self._kept[key][0], now):
                self._forget(key)
        while self._bytes + size > self._max_bytes:
            self._forget(next(iter(self._kept)))
            self._evicted += 1

    def _forget(self, key: CacheKey) -> None:
        _, size = self._kept.pop(key, (None, 0))
        self._bytes -= size


def _expiring(key: CacheKey, answer: StoredAnswer) -> tuple[float, str, CacheKey]:
    return answer.expires_at.timestamp(), key.digest, key
