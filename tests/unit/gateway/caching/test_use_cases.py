"""A call, its answer kept, the next call, and what is counted of them."""

from datetime import timedelta

import pytest

from llmring_adapters.gateway.cache_counts import CacheCounts
from llmring_adapters.gateway.cache_memory import MemoryResponseCache
from llmring_core.gateway.caching import (
    CacheableCall,
    CachePolicy,
    CachingDisabled,
    FindAnswer,
    KeepAnswer,
    Looked,
    Pair,
    PurgeCache,
    PurgeWanted,
    Received,
    judged,
)
from llmring_core.usage import Tokens
from tests.builders.caching import FORCED, PIECES, PUBLIC, a_call, an_answer
from tests.builders.kernel import NOON, P2, FakeClock

POLICY = CachePolicy(stream_responses=True)


class Stage:
    """A cache, and what a gateway does with it."""

    def __init__(self, max_bytes: int = 2**20) -> None:
        self.clock = FakeClock()
        self.cache = MemoryResponseCache(self.clock, max_bytes)
        self.counts = CacheCounts()
        self.find = FindAnswer(self.cache, self.counts, self.clock, POLICY)
        self.keep = KeepAnswer(self.cache, self.counts, self.clock)

    async def made(self, call: CacheableCall, *headers: Pair) -> Looked:
        """Make a call, to which the provider answers with these headers."""
        looked = await self.find(call)
        if looked.reply is None:
            self.counts.count(looked.standing)
            verdict = judged(looked.terms, 200, headers, NOON, POLICY)
            tokens = Tokens(output=3)
            received = Received(headers=headers, pieces=PIECES, model="m", tokens=tokens)
            if looked.key is not None:
                await self.keep(looked.key, verdict, received)
        return looked


async def test_what_was_kept_is_given_with_what_it_saves() -> None:
    stage = Stage()
    assert (await stage.made(a_call(), PUBLIC)).standing == "miss"
    stage.clock.pass_by(timedelta(seconds=2))
    found = await stage.find(a_call())
    assert found.standing == "hit" and found.reply is not None and found.answer is not None
    assert found.reply.pieces == (b"".join(PIECES),)
    assert (b"age", b"2") in found.reply.headers
    assert (found.answer.model, found.answer.tokens) == ("m", Tokens(output=3))
    assert vars_of(stage.counts) == (1, 1, 0, 1)


def vars_of(counts: CacheCounts) -> tuple[int, int, int, int]:
    return counts.hits, counts.misses, counts.bypasses, counts.stores


@pytest.mark.parametrize("wish", [(), (FORCED,)])
async def test_another_project_asks_the_provider_itself(wish: tuple[Pair, ...]) -> None:
    stage = Stage()
    await stage.made(a_call(*wish), PUBLIC)
    assert (await stage.find(a_call(*wish, project=P2))).reply is None
    assert (await stage.find(a_call(*wish))).reply is not None


async def test_a_post_is_kept_and_given_to_whoever_asks_for_that() -> None:
    stage = Stage()
    asked = a_call(FORCED, method="POST", body=b"{}")
    plain = a_call(method="POST", body=b"{}")
    assert (await stage.made(plain, PUBLIC)).key is None
    await stage.made(asked)
    assert (await stage.find(asked)).standing == "hit"
    assert (await stage.find(plain)).reply is None
    assert (await stage.find(a_call(FORCED, method="POST", body=b"{ }"))).reply is None


async def test_who_wants_the_provider_asked_is_handed_what_to_ask_by() -> None:
    stage = Stage()
    await stage.made(a_call(), PUBLIC, (b"etag", b'"1"'))
    found = await stage.made(a_call((b"cache-control", b"no-cache")))
    assert (found.standing, found.reply) == ("bypass", None)
    assert found.answer is not None
    assert vars_of(stage.counts) == (0, 2, 1, 1)


async def test_who_has_it_is_counted_as_a_hit_too() -> None:
    stage = Stage()
    await stage.made(a_call(), PUBLIC, (b"etag", b'"1"'))
    assert (await stage.find(a_call((b"if-none-match", b'"1"')))).standing == "conditional-hit"
    assert stage.counts.hits == 1


async def test_what_another_has_just_fetched_is_given_without_the_cache() -> None:
    stage = Stage(max_bytes=0)
    found = await stage.find(a_call(), an_answer())
    assert found.standing == "hit"
    stage.clock.pass_by(timedelta(seconds=60))
    assert (await stage.find(a_call(), an_answer())).reply is None


async def test_what_found_no_room_is_no_store_but_may_be_shared() -> None:
    stage = Stage(max_bytes=0)
    looked = await stage.made(a_call(), PUBLIC)
    assert looked.key is not None and stage.counts.stores == 0
    verdict = judged(looked.terms, 200, [PUBLIC], NOON, POLICY)
    received = Received(headers=[PUBLIC], pieces=PIECES, model=None, tokens=None)
    assert await stage.keep(looked.key, verdict, received)


async def test_what_may_not_be_kept_is_shared_with_nobody() -> None:
    stage = Stage()
    looked = await stage.find(a_call())
    assert looked.key is not None
    verdict = judged(looked.terms, 200, [], NOON, POLICY)
    received = Received(headers=[], pieces=PIECES, model=None, tokens=None)
    assert await stage.keep(looked.key, verdict, received) is None
    assert stage.cache.stats().entries == 0


async def test_a_purge_forgets() -> None:
    stage = Stage()
    await stage.made(a_call(), PUBLIC)
    wanted = PurgeWanted(project=None, method="GET", url="/v1/models", prefix="")
    assert [await PurgeCache(stage.cache)(wanted) for _ in range(2)] == [1, 0]
    assert (await stage.find(a_call())).reply is None


async def test_without_a_cache_there_is_nothing_to_purge() -> None:
    with pytest.raises(CachingDisabled, match="caching is disabled"):
        await PurgeCache(None)(PurgeWanted(project=None, method="", url="", prefix=""))
