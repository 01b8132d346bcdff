"""``kill -9`` of the server and of PostgreSQL at a random moment under load, again and again.

``LLMRING_FAULT_ROUNDS=50`` runs that many rounds on each database.
"""

import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median

import httpx
import pytest

from tests.faults.load import Journal, Load, check, repeat_unanswered
from tests.faults.proxy import proxy
from tests.integration.server import RunningServer, Tenant, call, running
from tests.services.postgres import PostgresServer, new_database, private_postgres
from tests.services.search import skip_when_unavailable

ROUNDS = int(os.environ.get("LLMRING_FAULT_ROUNDS", "3"))
MOMENTS_S = (0.05, 0.6)  # after the load began


@pytest.fixture(scope="module")
def durable_postgres() -> Iterator[PostgresServer]:
    with skip_when_unavailable(), private_postgres(durable=True) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database that survives whoever uses it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'llmring.db'}"
        return
    server: PostgresServer = request.getfixturevalue("durable_postgres")
    with new_database(server.url) as url:
        yield url


def started(folder: Path, database_url: str) -> RunningServer:
    server = RunningServer(folder, database_url=database_url)
    server.launch()
    server.wait_until_ready()
    return server


def test_what_was_acknowledged_survives_and_nothing_is_there_twice(
    tmp_path: Path, database_url: str
) -> None:
    checked, recoveries = 0, []
    server = started(tmp_path, database_url)
    for number in range(ROUNDS):
        tenant = server.tenant()
        with closing(Journal(tmp_path / f"journal-{number}")) as journal:
            with Load(tenant, journal):
                time.sleep(random.uniform(*MOMENTS_S))  # noqa: S311
                server.kill()

            began = time.monotonic()
            server = started(tmp_path, database_url)
            recoveries.append(time.monotonic() - began)
            assert recoveries[-1] < 15  # no manual step, and no long recovery
            check(server, tenant, journal)
            repeat_unanswered(server, tenant, journal)
            assert check(server, tenant, journal) == journal.ids("sent")
            checked += len(journal.ids("acknowledged"))
    server.stop()
    assert checked > 10 * ROUNDS
    middle, longest = median(recoveries), max(recoveries)
    print(  # noqa: T201
        f"\n{ROUNDS} rounds, {checked} acknowledged calls checked, "
        f"back after {middle:.1f} s (median) and {longest:.1f} s (longest), start included"
    )


def test_postgresql_itself_may_be_killed(tmp_path: Path, durable_postgres: PostgresServer) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(new_database(durable_postgres.url))
        server = stack.enter_context(running(tmp_path, database_url=url))
        probe = server.tenant()
        probe.log()
        for number in range(max(1, ROUNDS // 2)):
            tenant = server.tenant()
            journal = stack.enter_context(closing(Journal(tmp_path / f"journal-{number}")))
            with Load(tenant, journal) as load:
                time.sleep(random.uniform(*MOMENTS_S))  # noqa: S311
                durable_postgres.kill()
                time.sleep(0.2)
                durable_postgres.start()
                back = time.monotonic()
                while probe.post(call()).status_code != 200:
                    assert time.monotonic() - back < 2, "PostgreSQL is back, the server is not"
                    time.sleep(0.02)
            assert set(load.statuses) == {200, 503}
            check(server, tenant, journal)
            repeat_unanswered(server, tenant, journal)
            assert check(server, tenant, journal) == journal.ids("sent")


def test_a_call_committed_and_not_answered_is_answered_the_second_time(
    tmp_path: Path, database_url: str
) -> None:
    server = started(tmp_path, database_url)
    tenant = server.tenant()
    tenant.log()
    with proxy(*server.address) as between:
        between.set("cut_answers")
        with pytest.raises(httpx.TransportError):
            server.http.post(
                f"http://127.0.0.1:{between.port}/api/v1/log",
                json=call(origin="lost"),
                headers=tenant.headers | {"Idempotency-Key": "k"},
            )
    (row,) = tenant.logs("origin=lost")
    server.kill()

    with running(tmp_path, database_url=database_url) as again:
        there = Tenant(again, tenant.key)
        second = there.post(call(origin="lost"), Idempotency_Key="k")
        assert second.status_code == 200
        assert second.headers["Idempotency-Replayed"] == "true"
        assert second.json()["log_id"] == row["id"]
        assert len(there.logs()) == 2
