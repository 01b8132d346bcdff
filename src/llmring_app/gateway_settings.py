"""The settings of the gateway's forwarding."""

from typing import Annotated, TypeAlias

from msgspec import Meta

from llmring_app.cache_settings import CacheSettings
from llmring_app.setting_types import FileName, Flag

ProviderFile: TypeAlias = Annotated[
    Annotated[str, Meta(min_length=1)] | None, Meta(description="the name of a file")
]
ProviderName: TypeAlias = Annotated[
    Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")] | None,
    Meta(description="the name of a provider in the file LLMRING_API_CONFIG_PATH"),
]
Wait: TypeAlias = Annotated[
    float, Meta(gt=0, le=86_400, description="seconds, more than 0 and at most 86400, a day")
]
Drain: TypeAlias = Annotated[float, Meta(ge=0, le=3600, description="seconds from 0 to 3600")]
Size: TypeAlias = Annotated[
    int, Meta(ge=1024, le=2**30, description="a whole number of bytes from 1024 to 1073741824")
]
Calls: TypeAlias = Annotated[
    int, Meta(ge=1, le=100_000, description="a whole number from 1 to 100000")
]
Excerpt: TypeAlias = Annotated[
    int, Meta(ge=0, le=2**24, description="a whole number of bytes from 0 to 16777216")
]
Events: TypeAlias = Annotated[
    int, Meta(ge=1, le=1_000_000, description="a whole number from 1 to 1000000")
]


class GatewaySettings(CacheSettings, frozen=True, kw_only=True):
    """Field ``x`` is the variable ``LLMRING_X``."""

    api_config_path: ProviderFile = None  # without it there is no /v1
    default_api_provider: ProviderName = None
    gateway_ask_for_usage: Flag = True  # unless the file says otherwise of a provider
    gateway_max_body_bytes: Size = 20 * 1024**2
    gateway_max_calls: Calls = 1000  # of each worker to each provider
    gateway_connect_timeout_s: Wait = 5
    gateway_first_byte_timeout_s: Wait = 120
    gateway_idle_timeout_s: Wait = 60
    gateway_answer_timeout_s: Wait = 900
    gateway_stream_timeout_s: Wait = 3600
    gateway_keep_alive_s: Wait = 30
    gateway_drain_s: Drain = 10
    gateway_drain_bytes: Size = 4 * 1024**2
    observability_enabled: Flag = True  # false: nothing of calls is told to anybody
    observability_buffer_size: Events = 1000  # that wait for each who listens
    observability_max_request_body_bytes: Excerpt = 64 * 1024
    observability_max_response_body_bytes: Excerpt = 256 * 1024
    file_event_log: FileName = None  # without it, events are not written to a file
