"""The cache of one process is never larger than it may be, and forgets the least wanted."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from llmring_adapters.gateway.cache_memory import MemoryResponseCache, size_of
from llmring_core.gateway.caching import Purge, StoredAnswer
from tests.builders.caching import a_key, an_answer
from tests.builders.kernel import FakeClock

KEYS = [a_key(path=f"/v1/{n}") for n in range(6)]
STEPS = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 5), st.integers(0, 3000), st.integers(1, 9)),
    st.tuples(st.just("get"), st.integers(0, 5), st.just(0), st.just(0)),
    st.tuples(st.just("wait"), st.integers(0, 5), st.just(0), st.just(0)),
    st.tuples(st.just("purge"), st.integers(0, 5), st.just(0), st.just(0)),
)


def an_answer_of(size: int, clock: FakeClock, ttl_s: int = 60) -> StoredAnswer:
    return an_answer(pieces=[b"x" * size], received_at=clock.now, ttl_s=ttl_s)


@given(st.lists(STEPS, max_size=40))
async def test_its_account_is_exact_and_within_its_bound(
    steps: list[tuple[str, int, int, int]],
) -> None:
    clock = FakeClock()
    cache = MemoryResponseCache(clock, max_bytes=9000)
    put: dict[int, StoredAnswer] = {}
    for what, n, size, ttl_s in steps:
        if what == "put":
            answer = an_answer_of(size, clock, ttl_s)
            assert await cache.put(KEYS[n], answer)
            put[n] = answer
        elif what == "get":
            assert await cache.get(KEYS[n]) in (None, put.get(n))
        elif what == "wait":
            clock.pass_by(timedelta(seconds=n))
        else:
            await cache.purge(Purge(path_prefix=f"/v1/{n}"))
            assert await cache.get(KEYS[n]) is None
        stats = cache.stats()
        assert stats.bytes is not None and stats.bytes <= 9000
    held = [n for n in range(6) if await cache.get(KEYS[n])]
    stats = cache.stats()
    clock.pass_by(timedelta(days=1))
    for key in KEYS:
        await cache.get(key)
    assert stats.bytes is not None and stats.entries is not None
    assert stats.bytes == sum(size_of(KEYS[n], put[n]) for n in held)
    assert stats.entries == len(held)
    assert (cache.stats().bytes, cache.stats().entries) == (0, 0)


async def filled(clock: FakeClock, *ttls: int) -> MemoryResponseCache:
    """Return a cache with room for exactly as many as there are."""
    size = size_of(KEYS[0], an_answer_of(1000, clock))
    cache = MemoryResponseCache(clock, max_bytes=size * len(ttls))
    for key, ttl_s in zip(KEYS, ttls, strict=False):
        await cache.put(key, an_answer_of(1000, clock, ttl_s))
    return cache


async def kept(cache: MemoryResponseCache) -> list[int]:
    return [n for n, key in enumerate(KEYS) if await cache.get(key)]


async def test_forgets_first_what_was_not_asked_for_the_longest() -> None:
    clock = FakeClock()
    cache = await filled(clock, 60, 60, 60)
    await cache.get(KEYS[0])
    await cache.put(KEYS[3], an_answer_of(1000, clock))
    assert cache.stats().evicted == 1
    assert await kept(cache) == [0, 2, 3]


async def test_forgets_before_that_what_has_expired() -> None:
    clock = FakeClock()
    cache = await filled(clock, 60, 60, 5)
    clock.pass_by(timedelta(seconds=5))
    await cache.put(KEYS[3], an_answer_of(1000, clock))
    assert cache.stats().evicted == 0
    assert await kept(cache) == [0, 1, 3]


async def test_keeps_no_list_of_what_was_replaced() -> None:
    clock = FakeClock()
    cache = await filled(clock, 60, 60)
    for _ in range(1000):
        await cache.put(KEYS[0], an_answer_of(10, clock))
    assert len(cache._expiring) < 50


async def test_what_is_larger_than_all_of_it_pushes_nothing_out() -> None:
    clock = FakeClock()
    cache = await filled(clock, 60, 60)
    assert not await cache.put(KEYS[2], an_answer_of(100_000, clock))
    assert await kept(cache) == [0, 1]
