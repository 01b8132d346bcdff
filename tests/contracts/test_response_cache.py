"""What a ResponseCache promises, in memory and in Redis."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from msgspec.structs import replace

from llmring_adapters.gateway.cache_memory import MemoryResponseCache
from llmring_adapters.gateway.cache_redis import RedisResponseCache
from llmring_adapters.redis import BoundedRedis
from llmring_core.gateway.caching import (
    CacheKey,
    Purge,
    PurgeWanted,
    ResponseCache,
    purge_of,
)
from llmring_core.ids import ProjectId
from tests.builders.caching import a_key, an_answer
from tests.builders.kernel import MICROSECOND, P1, P2, FakeClock

SECRET = b"s" * 32
PATIENCE_S = 10.0  # however busy the machine
KEY = a_key()
ODD = ProjectId("p:*?[x]\\é")  # as no id is; but then, isolation must not hang on that


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest, clock: FakeClock) -> AsyncIterator[ResponseCache]:
    if request.param == "memory":
        yield MemoryResponseCache(clock)
        return
    redis = BoundedRedis(request.getfixturevalue("redis_url"), PATIENCE_S)
    shared = RedisResponseCache(redis, SECRET, clock, max_object_bytes=1000)
    yield shared
    await shared.aclose()


class TestKeeping:
    async def test_gives_back_exactly_what_was_put(self, cache: ResponseCache) -> None:
        assert await cache.get(KEY) is None
        assert await cache.put(KEY, an_answer())
        assert [await cache.get(KEY) for _ in range(2)] == [an_answer()] * 2

    async def test_keeps_every_piece_as_it_is(self, cache: ResponseCache) -> None:
        pieces = [bytes([byte]) for byte in range(256)] + [bytes(range(256)), b"\r\n" * 99]
        answer = an_answer((b"x-a", bytes(range(256))), (b"x-a", b""), pieces=pieces)
        await cache.put(KEY, answer)
        assert await cache.get(KEY) == answer
        empty = replace(answer, pieces=(), headers=(), model=None, tokens=None)
        await cache.put(KEY, empty)
        assert await cache.get(KEY) == empty

    async def test_the_last_one_counts(self, cache: ResponseCache) -> None:
        await cache.put(KEY, an_answer())
        await cache.put(KEY, an_answer(pieces=[b"new"]))
        assert await cache.get(KEY) == an_answer(pieces=[b"new"])

    @pytest.mark.parametrize(
        "other",
        [
            a_key(P2),
            a_key(ODD),
            a_key(account="k2"),
            a_key(method="HEAD"),
            a_key(query="a"),
            a_key(path="/v1/model"),
        ],
    )
    async def test_gives_it_under_no_other_key(self, cache: ResponseCache, other: CacheKey) -> None:
        await cache.put(KEY, an_answer())
        assert await cache.get(other) is None
        await cache.put(other, an_answer(pieces=[b"other"]))
        assert await cache.get(KEY) == an_answer()

    async def test_a_key_is_more_than_its_digest(self, cache: ResponseCache) -> None:
        await cache.put(KEY, an_answer())
        assert await cache.get(replace(KEY, project=P2)) is None

    async def test_gives_it_while_it_is_fresh(self, cache: ResponseCache, clock: FakeClock) -> None:
        await cache.put(KEY, an_answer(ttl_s=60))
        clock.pass_by(timedelta(seconds=60) - MICROSECOND)
        assert await cache.get(KEY)
        clock.pass_by(MICROSECOND)
        assert await cache.get(KEY) is None

    async def test_an_answer_too_large_leaves_the_place_empty(self, cache: ResponseCache) -> None:
        await cache.put(KEY, an_answer())
        assert not await cache.put(KEY, an_answer(pieces=[b"x" * 100_000_000]))
        assert await cache.get(KEY) is None
        assert cache.stats().unfit == 1


class TestPurging:
    @pytest.fixture
    async def keys(self, cache: ResponseCache) -> list[CacheKey]:
        found = [
            a_key(),
            a_key(account="k2"),
            a_key(query="b=1"),
            a_key(method="HEAD"),
            a_key(path="/v1/models/x:y z"),
            a_key(P2),
            a_key(ODD),
        ]
        for key in found:
            assert await cache.put(key, an_answer())
        return found

    async def left(self, cache: ResponseCache, keys: list[CacheKey]) -> list[int]:
        return [n for n, key in enumerate(keys) if await cache.get(key)]

    @pytest.mark.parametrize(
        ("project", "url", "prefix", "gone"),
        [
            (None, "/v1/models", "", [0, 1, 5, 6]),
            (P1, "/v1/models", "", [0, 1]),
            (P1, "/v1/models?b=1", "", [2]),
            (P1, "/v1", "/v1/models/", [4]),
            (P1, "/v1", "/", [0, 1, 2, 3, 4]),
            (None, "/v1", "/", [0, 1, 2, 3, 4, 5, 6]),
            (None, "/v1", "/v1/models/x:y%20z", []),
            (ODD, "/v1", "/", [6]),
            (None, "/v1", a_key(P2).digest[:16], [5]),
            (P1, "/v1", a_key(P2).digest, []),
            (ProjectId("*"), "/v1", "/", []),
            (ProjectId("0"), "/v1", "/", []),
        ],
    )
    async def test_forgets_what_is_meant_and_nothing_else(
        self,
        cache: ResponseCache,
        keys: list[CacheKey],
        project: ProjectId | None,
        url: str,
        prefix: str,
        gone: list[int],
    ) -> None:
        wanted = PurgeWanted(project=project, method="GET", url=url, prefix=prefix)
        assert await cache.purge(purge_of(wanted)) == len(gone)
        assert await self.left(cache, keys) == [n for n in range(len(keys)) if n not in gone]

    async def test_an_empty_cache_has_nothing_to_forget(self, cache: ResponseCache) -> None:
        assert await cache.purge(Purge()) == 0
