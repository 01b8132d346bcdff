"""Several servers on one database: started at the same moment on an empty one, and sharing it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.server import RunningServer, Tenant, call, running
from tests.services.postgres import new_database
from tests.services.search import skip_when_unavailable

SERVERS = 3


@pytest.fixture(scope="module")
def on_one_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RunningServer]]:
    file = tmp_path_factory.mktemp("shared") / "llmring.db"
    with ExitStack() as stack:
        yield started_at_once(stack, tmp_path_factory, f"sqlite:///{file}")


@pytest.fixture(scope="module")
def on_one_database(
    postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[RunningServer]]:
    with skip_when_unavailable(), new_database(postgres_server) as url, ExitStack() as stack:
        yield started_at_once(stack, tmp_path_factory, url)


@pytest.fixture(scope="module", params=["on_one_file", "on_one_database"])
def servers(request: pytest.FixtureRequest) -> list[RunningServer]:
    found: list[RunningServer] = request.getfixturevalue(request.param)
    return found


def started_at_once(
    stack: ExitStack, folders: pytest.TempPathFactory, database_url: str
) -> list[RunningServer]:
    """Servers that all found the database empty; they must stop in order, too."""
    shared = folders.mktemp("keys")
    keys = {name: str(shared / name) for name in ("receipts_key_file", "log_key_file")}
    servers = [
        RunningServer(folders.mktemp(f"server-{n}"), database_url=database_url, **keys)
        for n in range(SERVERS)
    ]
    for server in servers:
        server.launch()
        stack.callback(server.stop)
    for server in servers:
        server.wait_until_ready()
    return servers


def on(server: RunningServer, tenant: Tenant) -> Tenant:
    return Tenant(server, tenant.key)


def test_all_of_them_start_on_an_empty_database(servers: list[RunningServer]) -> None:
    for server in servers:
        health = server.http.get("/health").json()
        assert (health["status"], health["database"]) == ("healthy", "connected")
        assert "Error" not in server.said
    assert len({server.http.get("/registry").content for server in servers}) == 1


def test_a_call_logged_on_one_is_listed_by_all_at_once(servers: list[RunningServer]) -> None:
    tenant = servers[0].tenant()
    ids = [on(server, tenant).log()["log_id"] for server in servers]

    for server in servers:
        assert {row["id"] for row in on(server, tenant).logs()} == set(ids)
        assert on(server, tenant).stats()["summary"]["total_requests"] == SERVERS


def test_a_key_first_seen_by_all_at_once_is_one_project(servers: list[RunningServer]) -> None:
    tenant = servers[0].tenant()
    with ThreadPoolExecutor(5 * SERVERS) as threads:
        answers = list(threads.map(lambda server: on(server, tenant).post(call()), servers * 5))

    assert [answer.status_code for answer in answers] == [200] * 5 * SERVERS
    for server in servers:
        assert len(on(server, tenant).logs()) == 5 * SERVERS
        assert on(server, tenant).stats()["summary"]["total_requests"] == 5 * SERVERS


def test_one_idempotency_key_on_all_of_them_is_one_row(servers: list[RunningServer]) -> None:
    tenant = servers[0].tenant()
    tenant.log(model="before")
    with ThreadPoolExecutor(5 * SERVERS) as threads:
        answers = list(
            threads.map(
                lambda server: on(server, tenant).post(call(), Idempotency_Key="k"), servers * 5
            )
        )

    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    assert len(on(servers[-1], tenant).logs()) == 2


def test_a_cursor_of_one_is_understood_by_the_next(servers: list[RunningServer]) -> None:
    tenant = servers[0].tenant()
    for name in "abc":
        tenant.log(model=name)
    cursor = tenant.get("/api/v1/logs?limit=1").headers["x-next-cursor"]

    rows = on(servers[1], tenant).logs(f"cursor={cursor}")
    assert [row["model"] for row in rows] == ["b", "a"]


def test_what_was_acknowledged_is_there_after_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        tenant = server.tenant()
        kept = tenant.post(call(), Idempotency_Key="k").content

    with running(tmp_path) as again:
        assert len(on(again, tenant).logs()) == 1
        assert on(again, tenant).post(call(), Idempotency_Key="k").content == kept


def test_what_was_acknowledged_is_there_after_kill_9(tmp_path: Path) -> None:
    server = RunningServer(tmp_path)
    server.launch()
    server.wait_until_ready()
    tenant = server.tenant()
    ids = {tenant.log()["log_id"] for _ in range(5)}
    server.kill()

    with running(tmp_path) as again:
        assert {row["id"] for row in on(again, tenant).logs()} == ids
