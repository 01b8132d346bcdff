"""Who we are, and whether we are well."""

from collections.abc import Awaitable, Callable

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from msgspec import Struct

from llmring_core import __version__

DatabaseAnswers = Callable[[], Awaitable[bool]]


class Root(Struct, frozen=True, kw_only=True):
    name: str
    version: str
    docs: str
    registry: str


class Health(Struct, frozen=True, kw_only=True):
    status: str  # healthy or unhealthy
    database: str  # connected or disconnected
    version: str


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
    async def health(self, database_answers: NamedDependency[DatabaseAnswers]) -> Health:
        """Tell how the server is; always 200, as historic clients expect."""
        return health_of(await database_answers())

    @get(["/health/live", "/live", "/healthz"])
    async def live(self) -> Alive:
        """Tell that the process answers; restart it when this fails."""
        return Alive(status="alive")

    @get(["/health/ready", "/ready", "/readyz"])
    async def ready(self, database_answers: NamedDependency[DatabaseAnswers]) -> Response[Health]:
        """Tell whether to send requests here: 503 while the database does not answer."""
        return readiness_of(await database_answers())


def health_of(database_answers: bool) -> Health:
    return Health(
        status="healthy" if database_answers else "unhealthy",
        database="connected" if database_answers else "disconnected",
        version=__version__,
    )


def readiness_of(database_answers: bool) -> Response[Health]:
    status = 200 if database_answers else 503
    return Response(health_of(database_answers), status_code=status)
