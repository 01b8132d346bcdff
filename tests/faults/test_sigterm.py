"""Asked to stop, the server finishes what it was given: requests are answered, calls committed."""

import http.client
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.faults.load import Journal, Load, check, send
from tests.faults.test_postgres_faults import locked
from tests.integration.server import RunningServer, Tenant, call, running
from tests.services.postgres import new_database
from tests.services.search import skip_when_unavailable

Lock = Callable[[], AbstractContextManager[None]]


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Lock]]:
    """A database, and a way to make every write wait."""
    if request.param == "sqlite":
        file = tmp_path / "llmring.db"
        yield f"sqlite:///{file}", partial(writing, file)
        return
    with skip_when_unavailable(), new_database(request.getfixturevalue("postgres_server")) as url:
        yield url, partial(locked, url, "usage_records")


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Somebody else's transaction is the one writer."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def started(folder: Path, url: str) -> RunningServer:
    server = RunningServer(folder, database_url=url)
    server.launch()
    server.wait_until_ready()
    return server


def test_requests_under_way_are_answered_and_calls_of_those_who_left_are_kept(
    tmp_path: Path, database: tuple[str, Lock]
) -> None:
    url, lock = database
    server = started(tmp_path, url)
    tenant = server.tenant()
    tenant.log()

    def patient(id: str) -> int:
        with closing(http.client.HTTPConnection(*server.address, timeout=20)) as connection:
            return send(connection, tenant, id)

    with ThreadPoolExecutor(6) as threads:
        with lock():
            under_way = [threads.submit(patient, f"00000{n}") for n in range(5)]
            gone = http.client.HTTPConnection(*server.address)
            gone.request(
                "POST", "/api/v1/log", json.dumps(call(client_log_id="gone")), headers(tenant)
            )
            time.sleep(0.5)
            gone.close()
            stopping = threads.submit(server.stop)  # exit code 0, and no complaint
            time.sleep(0.5)
            assert not stopping.done()
        assert [answer.result() for answer in under_way] == [200] * 5
        stopping.result()

    with running(tmp_path, database_url=url) as again:
        kept = {row["client_log_id"] for row in Tenant(again, tenant.key).logs()}
        assert kept == {None, "gone", *(f"00000{n}" for n in range(5))}


def test_stopped_under_load_nothing_acknowledged_is_lost(
    tmp_path: Path, database: tuple[str, Lock]
) -> None:
    url, _ = database
    server = started(tmp_path, url)
    tenant = server.tenant()
    with closing(Journal(tmp_path / "journal")) as journal:
        with Load(tenant, journal) as load:
            time.sleep(0.4)
            stopping = threading.Thread(target=server.stop)
            stopping.start()
            stopping.join()
        assert set(load.statuses) <= {0, 200, 503}
        with running(tmp_path, database_url=url) as again:
            check(again, tenant, journal)


def headers(tenant: Tenant) -> dict[str, str]:
    return tenant.headers | {"Content-Type": "application/json"}
