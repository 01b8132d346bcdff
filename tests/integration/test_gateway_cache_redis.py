"""Answers that several servers share through Redis, and a Redis that is not there."""

from pathlib import Path

import pytest
from redis import Redis

from llmring_app.metrics import exposition
from llmring_core.gateway.metering import meter_for
from tests.integration.cached import CHAT, FORCED, MODELS, call, chat, standing
from tests.integration.gateway import OTHER, gateway, split
from tests.integration.upstream import always, upstream, whole

KEYS = [f"{name * 43}=" for name in "AB"]


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    found = [tmp_path / name for name in ("one", "other")]
    for folder in found:
        folder.mkdir()
    return found


async def test_what_one_server_keeps_another_one_gives(folders: list[Path], redis_url: str) -> None:
    shared = {
        "http_cache_backend": "redis",
        "redis_cache_url": redis_url,
        "redis_cache_key_prefix": "test:",
        "encryption_key": KEYS[0],
        "meters": meter_for,
    }
    async with (
        upstream(always(whole(CHAT))) as provider,
        gateway(folders[0], provider.url, **shared) as one,
        gateway(folders[1], provider.url, **shared) as other,
    ):
        standings = [await standing(server, chat(FORCED)) for server in (one, other, one)]
        standings.append(await standing(other, chat(FORCED, token=OTHER)))
        [hit] = await other.records()
        with Redis.from_url(redis_url) as store:
            names = store.keys()

    forced = "stored (forced)"
    assert standings == [forced, "hit", "hit", forced]
    assert hit.metadata["saved_tokens"] == 30
    assert len(names) == 2
    assert all(name.startswith(b"test:") for name in names)


async def test_a_server_with_another_key_believes_none_of_it(
    folders: list[Path], redis_url: str
) -> None:
    async with upstream(always(MODELS)) as provider:
        for folder, key in zip(folders, KEYS, strict=True):
            async with gateway(
                folder,
                provider.url,
                http_cache_backend="redis",
                redis_url=redis_url,
                encryption_key=key,
            ) as server:
                assert await standing(server, call()) == "stored"


async def test_a_redis_that_is_away_is_a_miss(tmp_path: Path) -> None:
    settings = {"http_cache_backend": "redis", "redis_cache_url": "redis://127.0.0.1:1"}
    async with (
        upstream(always(MODELS)) as provider,
        gateway(
            tmp_path,
            provider.url,
            management_token="m" * 32,
            encryption_key=KEYS[0],
            **settings,
        ) as server,
    ):
        answers = [split(await server.raw(call())) for _ in range(2)]
        purge = call(
            method=b"POST",
            path=b"/manage/cache/purge",
            token="m" * 32,
            body=b'{"method":"GET","url":"/v1/models"}',
        )
        refused = split(await server.raw(purge))[0]
        text = exposition(server.container).decode()

    assert [(status, body) for status, _, body in answers] == [(200, b'{"data":[]}')] * 2
    assert len(provider.sent) == 2
    assert refused == 503
    assert "llmring_redis_failures_total 0.0" not in text
