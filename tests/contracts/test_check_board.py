"""What a CheckBoard promises, and what the one in Redis stands from a Redis gone wrong."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
import uvloop
from msgspec import json
from redis import Redis

from llmring_adapters.redis import BoundedRedis, RedisAway
from llmring_adapters.registry.board import TURN_S, MemoryCheckBoard, RedisCheckBoard
from llmring_core.registry import CheckBoard, Confirmation
from tests.faults.proxy import Proxy, proxy

BASE = "https://example.org/registry/"
TOLD = Confirmation(digest="d1" * 32, checked_at=datetime(2026, 11, 20, 12, tzinfo=UTC))


@pytest.fixture
async def redis_board(redis_url: str) -> AsyncIterator[RedisCheckBoard]:
    found = RedisCheckBoard(BoundedRedis(redis_url), BASE, valid_s=60, wait_s=1)
    yield found
    await found.aclose()


def keys(redis_url: str) -> list[bytes]:
    with Redis.from_url(redis_url) as redis:
        found: list[bytes] = redis.keys()
        return found


class TestCheckBoard:
    @pytest.fixture(params=["memory", "redis"])
    def board(self, request: pytest.FixtureRequest) -> CheckBoard:
        if request.param == "memory":
            return MemoryCheckBoard()
        found: CheckBoard = request.getfixturevalue("redis_board")
        return found

    async def test_who_asks_first_has_the_turn_and_the_others_hear_of_it(
        self, board: CheckBoard
    ) -> None:
        assert await board.read() is None
        await board.write(TOLD)
        assert [await board.read() for _ in range(2)] == [TOLD, TOLD]

    async def test_a_check_that_failed_leaves_the_turn_to_the_next(self, board: CheckBoard) -> None:
        assert await board.read() is None
        await board.write(None)
        assert await board.read() is None


class TestRedisCheckBoard:
    async def test_who_asks_at_the_same_time_waits_for_the_first(
        self, redis_board: RedisCheckBoard
    ) -> None:
        assert await redis_board.read() is None
        others = [asyncio.create_task(redis_board.read()) for _ in range(3)]
        await asyncio.sleep(0.2)
        assert not any(other.done() for other in others)
        await redis_board.write(TOLD)
        assert await asyncio.gather(*others) == [TOLD] * 3

    async def test_who_waited_long_enough_asks_himself(self, redis_board: RedisCheckBoard) -> None:
        assert await redis_board.read() is None
        assert await redis_board.read() is None

    async def test_registries_do_not_hear_of_each_other(
        self, redis_board: RedisCheckBoard, redis_url: str
    ) -> None:
        await redis_board.write(TOLD)
        other = RedisCheckBoard(BoundedRedis(redis_url), "https://example.org/other", valid_s=60)
        assert await other.read() is None
        await other.aclose()

    async def test_nothing_stays_for_ever(
        self, redis_board: RedisCheckBoard, redis_url: str
    ) -> None:
        await redis_board.read()
        with Redis.from_url(redis_url) as redis:
            assert 0 < redis.pttl(keys(redis_url)[0]) <= TURN_S * 1000
            await redis_board.write(TOLD)
            assert 0 < redis.pttl(keys(redis_url)[0]) <= 60_000

    @pytest.mark.parametrize(
        "garbage",
        [
            b"\xff\xfe",
            b"{}",
            b'"yes"',
            json.encode(TOLD)[:-1],
            json.encode({"digest": "d1" * 32, "checked_at": "2026-11-20T12:00:00"}),
            json.encode({"digest": "short", "checked_at": "2026-11-20T12:00:00Z"}),
            json.encode({"digest": "d1" * 32, "checked_at": TOLD.checked_at, "prices": {}}),
            b" " * 2**20 + json.encode(TOLD),
        ],
    )
    async def test_garbage_is_nothing(
        self, redis_board: RedisCheckBoard, redis_url: str, garbage: bytes
    ) -> None:
        await redis_board.write(TOLD)
        with Redis.from_url(redis_url) as redis:
            redis.set(keys(redis_url)[0], garbage)
        assert await redis_board.read() is None
        await redis_board.write(TOLD)
        assert await redis_board.read() == TOLD

    async def test_a_key_of_another_type_is_nothing_and_is_replaced(
        self, redis_board: RedisCheckBoard, redis_url: str
    ) -> None:
        await redis_board.write(TOLD)
        (key,) = keys(redis_url)
        with Redis.from_url(redis_url) as redis:
            redis.delete(key)
            redis.rpush(key, "x")
        assert await redis_board.read() is None
        await redis_board.write(TOLD)
        assert await redis_board.read() == TOLD

    async def test_a_turn_that_never_ends_is_nobodys(
        self, redis_board: RedisCheckBoard, redis_url: str
    ) -> None:
        await redis_board.read()
        with Redis.from_url(redis_url) as redis:
            redis.persist(keys(redis_url)[0])
        patient = RedisCheckBoard(BoundedRedis(redis_url), BASE, valid_s=60, wait_s=60)
        async with asyncio.timeout(10):
            assert await patient.read() is None
        await patient.aclose()

    async def test_a_full_redis_keeps_nothing_and_harms_nobody(
        self, redis_board: RedisCheckBoard, redis_url: str
    ) -> None:
        with Redis.from_url(redis_url) as redis:
            before = redis.config_get("maxmemory")["maxmemory"]
            redis.config_set("maxmemory", "1")
            try:
                assert await redis_board.read() is None
                await redis_board.write(TOLD)
                assert await redis_board.read() is None
            finally:
                redis.config_set("maxmemory", before)
        await redis_board.write(TOLD)
        assert await redis_board.read() == TOLD

    async def test_what_was_flushed_is_asked_for_again(
        self, redis_board: RedisCheckBoard, redis_url: str
    ) -> None:
        await redis_board.write(TOLD)
        with Redis.from_url(redis_url) as redis:
            redis.flushdb()
        assert await redis_board.read() is None


class TestBoundedRedis:
    @pytest.fixture
    def between(self, redis_url: str) -> AsyncIterator[Proxy]:
        where = urlsplit(redis_url)
        with proxy(where.hostname or "", where.port or 0) as found:
            yield found

    @pytest.fixture
    async def redis(self, redis_url: str, between: Proxy) -> AsyncIterator[BoundedRedis]:
        where = urlsplit(redis_url)
        found = BoundedRedis(where._replace(netloc=f"127.0.0.1:{between.port}").geturl())
        yield found
        await found.close()

    @pytest.mark.parametrize(
        ("fault", "connected"),
        [("refuse", True), ("blackhole", True), ("blackhole", False), ("latency", True)],
    )
    async def test_a_fault_costs_little_once_and_then_nothing_and_passes(
        self, redis: BoundedRedis, between: Proxy, fault: str, connected: bool
    ) -> None:
        now = asyncio.get_running_loop().time
        if connected:
            assert await redis.ask(lambda r: r.ping())
        between.set(fault, 1.0)  # type: ignore[arg-type]  # the parameters are modes
        began = now()
        with pytest.raises(RedisAway):
            await redis.ask(lambda r: r.ping())
        assert now() - began < 0.6
        began = now()
        for _ in range(100):
            with pytest.raises(RedisAway, match="a moment ago"):
                await redis.ask(lambda r: r.ping())
        assert now() - began < 0.1
        between.set("pass")
        await asyncio.sleep(1.1)
        assert await redis.ask(lambda r: r.ping())
        assert redis.failures == 1

    async def test_a_connection_closed_meanwhile_is_replaced(
        self, redis: BoundedRedis, between: Proxy
    ) -> None:
        assert await redis.ask(lambda r: r.ping())
        between.reset()
        assert await redis.ask(lambda r: r.ping())

    def test_a_connection_closed_meanwhile_is_replaced_under_uvloop_too(
        self, redis_url: str, between: Proxy
    ) -> None:
        async def scenario() -> bool:
            where = urlsplit(redis_url)
            redis = BoundedRedis(where._replace(netloc=f"127.0.0.1:{between.port}").geturl())
            assert await redis.ask(lambda r: r.ping())
            between.reset()
            await asyncio.sleep(0.1)  # so that it is seen to be closed
            answer = await redis.ask(lambda r: r.ping())
            await redis.close()
            return bool(answer)

        assert uvloop.run(scenario())

    async def test_more_commands_at_once_than_connections_are_all_answered(
        self, redis: BoundedRedis
    ) -> None:
        asked = [redis.ask(lambda r: r.ping()) for _ in range(50)]
        assert all(await asyncio.gather(*asked))

    async def test_nobody_there_is_away(self) -> None:
        redis = BoundedRedis("redis://127.0.0.1:1/0")
        with pytest.raises(RedisAway):
            await redis.ask(lambda r: r.ping())
        await redis.close()
