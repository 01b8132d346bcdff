"""What the HTTP adapter is told by whoever assembles the program."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from litestar import Litestar

from llmring_core.clock import Clock
from llmring_core.ids import NewId
from llmring_http.measures import RequestMeasures
from llmring_http.metrics import Metrics

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


async def no_redis() -> str:
    return "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    clock: Clock
    new_id: NewId  # names requests
    database_answers: Callable[[], Awaitable[bool]]
    redis_state: Callable[[], Awaitable[str]] = no_redis  # connected, disconnected or disabled
    cors_origins: tuple[str, ...] = ()
    trust_identity_headers: bool = False  # only behind a proxy that authenticates and sets them
    max_body_bytes: int = 1024 * 1024
    max_in_flight: int = 4096  # requests
    requests: RequestMeasures = field(default_factory=RequestMeasures)
    access_log: bool = False
    metrics: Metrics | None = None  # None: there is no /metrics
    metrics_token: str | None = None  # without one, only direct callers nearby are answered
    management_token: str | None = None  # without one, there is no management API
    project_delete: bool = False  # whether managers may delete projects
