"""A Redis that is dead, slow, full, flushed or full of lies costs the cache its answers only."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from msgspec import msgpack
from redis import Redis

from llmring_adapters.gateway.cache_redis import KEY_PREFIX, RedisResponseCache
from llmring_adapters.redis import BoundedRedis
from llmring_core.gateway.caching import CacheUnavailable, Purge
from tests.builders.caching import a_key, an_answer
from tests.builders.kernel import NOON, P2, FakeClock
from tests.faults.proxy import Mode, Proxy, proxy

KEY = a_key()
SECRET = b"s" * 32
PATIENCE_S = 10.0  # with a Redis that is there, however busy the machine


@pytest.fixture
def between(redis_url: str) -> Iterator[Proxy]:
    where = urlsplit(redis_url)
    with proxy(where.hostname or "", where.port or 0) as found:
        yield found


def opened(
    url: str, secret: bytes = SECRET, clock: FakeClock | None = None, command_s: float = PATIENCE_S
) -> RedisResponseCache:
    redis = BoundedRedis(url, command_s, connections=5)
    return RedisResponseCache(redis, secret, clock or FakeClock(), max_object_bytes=1000)


@pytest.fixture
async def cache(redis_url: str) -> AsyncIterator[RedisResponseCache]:
    found = opened(redis_url)
    yield found
    await found.aclose()


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as found:
        yield found


def only_name(redis: Redis) -> bytes:
    (name,) = redis.keys()
    return bytes(name)


class TestARedisThatIsAway:
    @pytest.mark.parametrize("fault", ["refuse", "blackhole", "latency", "cut_answers"])
    @pytest.mark.parametrize("connected", [True, False])
    async def test_is_a_miss_and_comes_back(
        self, redis_url: str, between: Proxy, fault: Mode, connected: bool
    ) -> None:
        through = urlsplit(redis_url)._replace(netloc=f"127.0.0.1:{between.port}").geturl()
        cache = opened(through, command_s=0.2)
        if connected:
            await cache.put(KEY, an_answer())
        between.set(fault, 2.0)
        assert await cache.get(KEY) is None
        assert await cache.put(KEY, an_answer()) is False
        with pytest.raises(CacheUnavailable):
            await cache.purge(Purge())
        await cache.aclose()
        between.set("pass")
        back = opened(through)
        assert await back.put(KEY, an_answer())
        assert await back.get(KEY) == an_answer()
        await back.aclose()

    async def test_is_not_told_apart_from_an_empty_one(
        self, cache: RedisResponseCache, redis: Redis
    ) -> None:
        await cache.put(KEY, an_answer())
        redis.flushdb()
        assert await cache.get(KEY) is None
        assert await cache.purge(Purge()) == 0

    async def test_keeps_nothing_when_it_is_full_but_can_be_purged(
        self, cache: RedisResponseCache, redis: Redis
    ) -> None:
        await cache.put(KEY, an_answer())
        before = redis.config_get("maxmemory")["maxmemory"]
        redis.config_set("maxmemory", "1")
        try:
            assert not await cache.put(a_key(P2), an_answer())
            assert await cache.get(KEY) == an_answer()
            assert await cache.purge(Purge()) == 1
        finally:
            redis.config_set("maxmemory", before)


LIES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "rubbish": lambda _: b"\xff" * 100,
    "cut": lambda value: value[:-1],
    "longer": lambda value: value + b"\0",
    "a byte of the mark": lambda value: bytes([value[0] ^ 1]) + value[1:],
    "a byte of the body": lambda value: value[:-1] + bytes([value[-1] ^ 1]),
    "no mark": lambda value: value[32:],
    "a mark only": lambda value: value[:32],
    "an answer without the secret": lambda _: bytes(32) + msgpack.encode(an_answer()),
    "far too much": lambda value: value + bytes(5_000_000),
}


class TestARedisThatLies:
    @pytest.mark.parametrize("lie", sorted(LIES))
    async def test_is_not_believed_and_is_put_right(
        self, cache: RedisResponseCache, redis: Redis, lie: str
    ) -> None:
        await cache.put(KEY, an_answer())
        name = only_name(redis)
        redis.set(name, LIES[lie](bytes(redis.get(name) or b"")))
        assert await cache.get(KEY) is None
        assert cache.stats().unfit == (lie != "nothing")
        await cache.put(KEY, an_answer())
        assert await cache.get(KEY) == an_answer()

    async def test_cannot_give_one_tenant_what_is_anothers(
        self, cache: RedisResponseCache, redis: Redis
    ) -> None:
        await cache.put(a_key(P2), an_answer(pieces=[b"theirs"]))
        theirs = only_name(redis)
        await cache.put(KEY, an_answer())
        (mine,) = set(redis.keys()) - {theirs}
        redis.copy(theirs, mine, replace=True)
        assert await cache.get(KEY) is None
        assert await cache.get(a_key(P2)) == an_answer(pieces=[b"theirs"])

    async def test_cannot_make_an_answer_last_longer(self, redis_url: str, redis: Redis) -> None:
        clock = FakeClock()
        cache = opened(redis_url, clock=clock)
        await cache.put(KEY, an_answer(ttl_s=60))
        redis.persist(only_name(redis))
        clock.pass_by(timedelta(seconds=60))
        assert await cache.get(KEY) is None
        await cache.aclose()

    async def test_cannot_speak_for_another_installation(
        self, cache: RedisResponseCache, redis_url: str
    ) -> None:
        other = opened(redis_url, secret=b"t" * 32)
        await other.put(KEY, an_answer())
        assert await cache.get(KEY) is None
        await other.aclose()

    async def test_may_hold_something_of_another_type(
        self, cache: RedisResponseCache, redis: Redis
    ) -> None:
        await cache.put(KEY, an_answer())
        name = only_name(redis)
        redis.delete(name)
        redis.rpush(name, "x")
        assert await cache.get(KEY) is None
        await cache.put(KEY, an_answer())
        assert await cache.get(KEY) == an_answer()


class TestWhatIsThere:
    async def test_goes_by_itself(self, cache: RedisResponseCache, redis: Redis) -> None:
        await cache.put(KEY, an_answer(ttl_s=60))
        assert 59_000 < redis.pttl(only_name(redis)) <= 60_000
        stale = an_answer(received_at=NOON - timedelta(seconds=60), ttl_s=60)
        assert not await cache.put(a_key(P2), stale)

    async def test_is_purged_page_by_page_and_nothing_else_is(
        self, redis_url: str, redis: Redis
    ) -> None:
        others = ["other", f"{KEY_PREFIX}other", "llmproxyXcacheX:a:b:c:d", b"\xff"]
        for name in others:
            redis.set(name, "x")
        small = RedisResponseCache(
            BoundedRedis(redis_url, PATIENCE_S),
            SECRET,
            FakeClock(),
            max_object_bytes=1000,
            scan_count=10,
        )
        for n in range(100):
            await small.put(a_key(path=f"/v1/{n}"), an_answer())
        assert await small.purge(Purge(path_prefix="/v1/1")) == 11
        assert await small.purge(Purge()) == 89
        assert len(redis.keys()) == len(others)
        await small.aclose()

    async def test_has_a_prefix_that_stands_for_itself_only(
        self, redis_url: str, redis: Redis
    ) -> None:
        redis.set("abc:p:GET:a:d:/", "x")
        starred = RedisResponseCache(
            BoundedRedis(redis_url, PATIENCE_S),
            SECRET,
            FakeClock(),
            max_object_bytes=9,
            key_prefix="a*[b]?\\:",
        )
        await starred.put(KEY, an_answer())
        assert await starred.purge(Purge()) == 1
        assert redis.keys() == [b"abc:p:GET:a:d:/"]
        await starred.aclose()

    def test_is_marked_with_a_secret_worth_the_name(self, redis_url: str) -> None:
        with pytest.raises(ValueError, match="at least 16 bytes"):
            opened(redis_url, secret=b"short")
