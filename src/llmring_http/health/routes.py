"""Who we are, and whether we are well."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from msgspec import Struct

from llmring_core import __version__
from llmring_core.registry import ReadRegistryStatus, RegistryStatus

LIVE = ["/health/live", "/live", "/healthz"]
READY = ["/health/ready", "/ready", "/readyz"]
PROBES = frozenset([*LIVE, *READY])

DatabaseAnswers = Callable[[], Awaitable[bool]]
RedisState = Callable[[], Awaitable[str]]


class Root(Struct, frozen=True, kw_only=True):
    name: str
    version: str
    docs: str
    registry: str


class RegistryHealth(Struct, frozen=True, kw_only=True):
    version: str
    source: str  # registry, database or bundled: who vouched for it last
    status: str  # current, stale or frozen
    confirmed_at: datetime  # UTC; when it was last known to be current
    error: str | None  # why it is not current
    refusals: int  # files not taken since the server started
    last_refusal: str | None  # when, which and why


class Health(Struct, frozen=True, kw_only=True):
    status: str  # healthy or unhealthy
    database: str  # connected or disconnected
    redis: str  # connected, disconnected or disabled; without it everything goes on
    version: str
    registry: RegistryHealth


class Alive(Struct, frozen=True, kw_only=True):
    status: str


ROOT = Root(name="LLMRing Server", version=__version__, docs="/docs", registry="/registry")


class HealthController(Controller):
    tags = ["health"]

    @get("/")
    async def root(self) -> Root:
        """Name the server."""
        return ROOT

    @get("/health")
    async def health(
        self,
        database_answers: NamedDependency[DatabaseAnswers],
        redis_state: NamedDependency[RedisState],
        read_registry_status: NamedDependency[ReadRegistryStatus],
    ) -> Health:
        """Tell how the server is; always 200, as historic clients expect."""
        return health_of(
            await database_answers(), await redis_state(), await read_registry_status()
        )

    @get(LIVE)
    async def live(self) -> Alive:
        """Tell that the process answers; restart it when this fails."""
        return Alive(status="alive")

    @get(READY)
    async def ready(
        self,
        database_answers: NamedDependency[DatabaseAnswers],
        redis_state: NamedDependency[RedisState],
        read_registry_status: NamedDependency[ReadRegistryStatus],
    ) -> Response[Health]:
        """Tell whether to send requests here: 503 while the database does not answer.

        Prices that are no longer current are told, and no reason to send nothing.
        """
        return readiness_of(
            await database_answers(), await redis_state(), await read_registry_status()
        )


def health_of(database_answers: bool, redis: str, registry: RegistryStatus) -> Health:
    return Health(
        status="healthy" if database_answers else "unhealthy",
        database="connected" if database_answers else "disconnected",
        redis=redis,
        version=__version__,
        registry=RegistryHealth(
            version=registry.version,
            source=registry.source,
            status=registry.condition,
            confirmed_at=registry.fresh_at,
            error=registry.error,
            refusals=registry.refusals,
            last_refusal=registry.last_refusal,
        ),
    )


def readiness_of(database_answers: bool, redis: str, registry: RegistryStatus) -> Response[Health]:
    status = 200 if database_answers else 503
    return Response(health_of(database_answers, redis, registry), status_code=status)
