"""Assembled servers, one for the whole session per database, and tenants on them."""

from collections.abc import Iterator

import pytest

from tests.integration.manager import TOKEN, Manager
from tests.integration.server import RunningServer, Tenant, running
from tests.services.postgres import new_database
from tests.services.search import skip_when_unavailable


@pytest.fixture(scope="session")
def server_on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server without any settings: open, with SQLite in a file."""
    with running(tmp_path_factory.mktemp("on-sqlite")) as server:
        yield server


@pytest.fixture(scope="session")
def server_on_postgres(
    postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server told nothing but its PostgreSQL database, an empty one."""
    folder = tmp_path_factory.mktemp("on-postgres")
    with (
        skip_when_unavailable(),
        new_database(postgres_server) as url,
        running(folder, database_url=url) as server,
    ):
        yield server


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest) -> RunningServer:
    """A server on each database in turn: what is promised holds on both."""
    found: RunningServer = request.getfixturevalue(f"server_on_{request.param}")
    return found


@pytest.fixture
def tenant(server: RunningServer) -> Tenant:
    """A project of this test's own, on each database in turn."""
    return server.tenant()


@pytest.fixture
def anyone(server_on_sqlite: RunningServer) -> Tenant:
    """A project of this test's own where it does not matter which database is behind."""
    return server_on_sqlite.tenant()


@pytest.fixture(scope="session")
def managed_on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    with running(tmp_path_factory.mktemp("managed"), management_token=TOKEN) as server:
        yield Manager(server)


@pytest.fixture(scope="session")
def managed_on_postgres(
    postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Manager]:
    folder = tmp_path_factory.mktemp("managed-on-postgres")
    with (
        skip_when_unavailable(),
        new_database(postgres_server) as url,
        running(
            folder, management_token=TOKEN, database_url=url, gateway_project_delete="true"
        ) as server,
    ):
        yield Manager(server)


@pytest.fixture(params=["sqlite", "postgres"])
def manage(request: pytest.FixtureRequest) -> Manager:
    found: Manager = request.getfixturevalue(f"managed_on_{request.param}")
    return found
