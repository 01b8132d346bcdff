"""The settings of the gateway's cache."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from llmring_app.setting_types import Bytes, Flag, RedisUrl, Seconds

Backend: TypeAlias = Annotated[
    Literal["in-memory", "redis"], Meta(description="in-memory or redis")
]
KeyPrefix: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[!-~]{1,64}$",
        description="1 to 64 visible ASCII characters",
    ),
]


class CacheSettings(Struct, frozen=True, kw_only=True):
    """Field ``x`` is the variable ``LLMRING_X``."""

    http_cache_enabled: Flag = True  # nothing in it is shared between projects
    http_cache_backend: Backend = "in-memory"
    http_cache_default_ttl: Seconds = 300  # of public answers that do not say how long
    http_cache_max_object_bytes: Bytes = 1024**2  # of an answer's body
    http_cache_max_bytes: Bytes = 64 * 1024**2  # of each process, in memory
    http_cache_stream_responses: Flag = False
    redis_cache_url: RedisUrl = None  # without it, redis_url
    redis_cache_key_prefix: KeyPrefix = "llmproxy:cache:"

    @property
    def is_redis_cached(self) -> bool:
        return self.http_cache_enabled and self.http_cache_backend == "redis"
