"""The settings of the gateway's cache, under their own names and under those others know."""

from pathlib import Path

import pytest

from llmring_adapters.gateway.cache_memory import MemoryResponseCache
from llmring_adapters.gateway.cache_redis import RedisResponseCache
from llmring_adapters.system import random_secret, utc_now
from llmring_app.choices import cache_policy_of, cache_redis_of, response_cache_of
from llmring_app.encryption_keys import encryption_keys, marking_key
from llmring_app.errors import BadSetting
from llmring_app.settings import Settings

NOWHERE = Path("none")
KEY = "A" * 43
GATEWAY = {"LLMRING_API_CONFIG_PATH": "providers.yaml", "LLMRING_ENCRYPTION_KEY": KEY}
REDIS = {"HTTP_CACHE_BACKEND": "redis", "REDIS_CACHE_URL": "redis://:canary@cache:1/2"}


def read(**variables: str) -> Settings:
    return Settings.read(variables, NOWHERE)


def test_names_of_other_gateways_are_read() -> None:
    settings = read(
        HTTP_CACHE_ENABLED="false",
        HTTP_CACHE_DEFAULT_TTL="7",
        HTTP_CACHE_MAX_OBJECT_BYTES="2048",
        HTTP_CACHE_STREAM_RESPONSES="true",
        REDIS_CACHE_KEY_PREFIX="p:",
        **REDIS,
    )

    assert not settings.http_cache_enabled
    assert (settings.http_cache_backend, settings.redis_cache_key_prefix) == ("redis", "p:")
    assert settings.redis_for_cache == REDIS["REDIS_CACHE_URL"]
    policy = cache_policy_of(settings)
    assert (policy.default_ttl_s, policy.max_object_bytes) == (7, 2048)
    assert policy.stream_responses


def test_our_own_names_count_for_more() -> None:
    assert read(HTTP_CACHE_ENABLED="false", LLMRING_HTTP_CACHE_ENABLED="true").http_cache_enabled


def test_a_cache_in_redis_needs_a_redis() -> None:
    with pytest.raises(BadSetting, match="LLMRING_REDIS_CACHE_URL must be set"):
        read(HTTP_CACHE_BACKEND="redis")
    assert read(HTTP_CACHE_BACKEND="redis", HTTP_CACHE_ENABLED="false")
    shared = read(HTTP_CACHE_BACKEND="redis", LLMRING_REDIS_URL="redis://shared")
    assert shared.redis_for_cache == "redis://shared"


def test_its_password_is_not_printed() -> None:
    settings = read(**REDIS)

    assert "canary" not in f"{settings!r} {settings.redacted()}"
    assert settings.redacted()["LLMRING_REDIS_CACHE_URL"] == "redis://:***@cache:1/2"


@pytest.mark.parametrize(
    ("variables", "kind"),
    [
        ({}, type(None)),
        (GATEWAY | {"HTTP_CACHE_ENABLED": "false"}, type(None)),
        (GATEWAY, MemoryResponseCache),
        (GATEWAY | REDIS, RedisResponseCache),
    ],
)
def test_there_is_a_cache_where_there_is_a_gateway(
    variables: dict[str, str], kind: type[object]
) -> None:
    settings = read(**variables)
    redis = cache_redis_of(settings)
    assert type(response_cache_of(settings, redis, utc_now, random_secret)) is kind


def test_the_key_of_marks_is_the_same_everywhere_and_tells_nothing_of_its_own() -> None:
    settings = read(**GATEWAY)
    key = marking_key(settings, random_secret)

    assert key == marking_key(read(ENCRYPTION_KEY=f"{KEY},{'B' * 43}"), random_secret)
    assert key != marking_key(read(ENCRYPTION_KEY=f"{'B' * 43},{KEY}"), random_secret)
    assert key not in encryption_keys(settings, random_secret)
