"""PostgreSQL away, silent, slow, locked, full or read-only: a quick 503, and back by itself."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from tests.faults.load import Journal, Load, check, repeat_unanswered
from tests.faults.proxy import Proxy, proxy
from tests.integration.server import RunningServer, Tenant, call, running
from tests.services.postgres import PostgresServer, new_database, private_postgres
from tests.services.search import skip_when_unavailable

QUICK_S = 2.0
BOUND_S = 6.0  # for any request, whatever happens
BACK_S = 2.0  # until it works again, once the fault is over
READS = ("/api/v1/logs", "/api/v1/stats")


class Stage(NamedTuple):
    server: RunningServer
    between: Proxy  # the network between server and PostgreSQL
    postgres: PostgresServer
    url: str  # of the database, not through the proxy


@pytest.fixture(scope="module")
def whole_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("postgres-faults")
    with skip_when_unavailable(), private_postgres() as postgres:
        where = urlsplit(postgres.url)
        with (
            proxy("127.0.0.1", where.port or 0) as between,
            new_database(postgres.url) as url,
        ):
            through = urlsplit(url)._replace(netloc=f"llmring@127.0.0.1:{between.port}").geturl()
            with running(folder, database_url=through) as server:
                yield Stage(server, between, postgres, url)


@pytest.fixture
def stage(whole_stage: Stage) -> Iterator[Stage]:
    yield whole_stage
    whole_stage.between.set("pass")


@pytest.fixture
def tenant(stage: Stage) -> Tenant:
    """A project whose key the server knows."""
    tenant = stage.server.tenant()
    assert works_within(BACK_S, lambda: tenant.post(call()))
    return tenant


def works_within(seconds: float, ask: Callable[[], httpx.Response]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ask().status_code == 200:
            return True
        time.sleep(0.02)
    return False


def assert_unavailable(tenant: Tenant, within_s: float, paths: tuple[str, ...] = READS) -> None:
    """Writes and these reads, all at once, are answered 503 in time, each with Retry-After."""

    def asked(ask: Callable[[], httpx.Response]) -> tuple[httpx.Response, float]:
        began = time.monotonic()
        return ask(), time.monotonic() - began

    asks: list[Callable[[], httpx.Response]] = [lambda: tenant.post(call())] * 5
    asks += [lambda path=path: tenant.get(path) for path in paths]  # type: ignore[misc]
    with ThreadPoolExecutor(len(asks)) as threads:
        for answer, took_s in threads.map(asked, asks):
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["Retry-After"]) >= 1
            assert answer.json()["code"] in ("store-unavailable", "overloaded")
            assert took_s < within_s, f"{took_s:.1f} s"


def assert_alive(server: RunningServer) -> None:
    began = time.monotonic()
    assert server.http.get("/health/live").status_code == 200
    assert time.monotonic() - began < 1


def assert_back(tenant: Tenant, within_s: float = BACK_S) -> None:
    assert works_within(within_s, lambda: tenant.post(call())), "writing"
    assert works_within(within_s, lambda: tenant.get("/api/v1/stats")), "reading"
    assert works_within(within_s, lambda: tenant.server.http.get("/health/ready")), "readiness"


def execute(url: str, *statements: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(run())


@contextmanager
def locked(url: str, table: str) -> Iterator[None]:
    """Somebody else's transaction holds the whole table."""
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(asyncpg.connect(url))
    loop.run_until_complete(connection.execute(f"BEGIN; LOCK TABLE llmring.{table}"))
    try:
        yield
    finally:
        loop.run_until_complete(connection.close())
        loop.close()


def test_stopped_and_started_again(stage: Stage, tenant: Tenant) -> None:
    stage.postgres.stop()
    try:
        assert_unavailable(tenant, QUICK_S)
        assert stage.server.http.get("/health/ready").status_code == 503
        assert_alive(stage.server)
    finally:
        stage.postgres.start()
    assert_back(tenant)


def test_restarted_between_two_requests_nobody_notices(stage: Stage, tenant: Tenant) -> None:
    with ThreadPoolExecutor(10) as threads:  # so that the pool holds several connections
        list(threads.map(tenant.get, ["/api/v1/logs"] * 30))
    stage.postgres.stop()
    stage.postgres.start()
    time.sleep(0.1)
    answers = [tenant.post(call()), *(tenant.get("/api/v1/logs") for _ in range(15))]
    assert [answer.status_code for answer in answers] == [200] * 16


def test_connections_killed_again_and_again(stage: Stage, tenant: Tenant, tmp_path: Path) -> None:
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"
    name = urlsplit(stage.url).path[1:]

    async def kill_for(seconds: float) -> None:
        connection = await asyncpg.connect(stage.postgres.url)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            await connection.execute(kill, name)
            await asyncio.sleep(0.1)
        await connection.close()

    with closing(Journal(tmp_path / "journal")) as journal:
        fresh = stage.server.tenant()
        with Load(fresh, journal) as load:
            asyncio.run(kill_for(1.5))
        assert set(load.statuses) <= {200, 503}
        assert load.statuses[200] > load.statuses[503]
        check(stage.server, fresh, journal)
        repeat_unanswered(stage.server, fresh, journal)
        assert check(stage.server, fresh, journal) == journal.ids("sent")
    assert_back(tenant)


def test_a_network_that_swallows_everything(stage: Stage, tenant: Tenant) -> None:
    stage.between.set("blackhole")
    assert_unavailable(tenant, BOUND_S)
    assert_unavailable(tenant, BOUND_S)  # now with new connections, which cannot be opened
    assert_alive(stage.server)
    began = time.monotonic()
    assert stage.server.http.get("/health/ready").status_code == 503
    assert time.monotonic() - began < BOUND_S
    stage.between.set("pass")
    assert_back(tenant)


def test_a_slow_network_is_waited_for_within_the_bound(stage: Stage, tenant: Tenant) -> None:
    stage.between.set("latency", 0.1)
    assert tenant.post(call()).status_code == 200
    stage.between.set("latency", 2.0)
    began = time.monotonic()
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: tenant.post(call()), range(10)))
        answers += threads.map(tenant.get, READS)
    assert time.monotonic() - began < 2 * BOUND_S  # writes, then reads
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert_alive(stage.server)
    stage.between.set("pass")
    assert_back(tenant)


def test_a_network_that_resets_and_refuses(stage: Stage, tenant: Tenant) -> None:
    stage.between.reset()
    time.sleep(0.1)
    assert tenant.post(call()).status_code == 200  # the old connections were seen to be closed
    assert tenant.get("/api/v1/stats").status_code == 200
    stage.between.set("refuse")
    time.sleep(0.1)
    assert_unavailable(tenant, QUICK_S)
    stage.between.set("pass")
    assert_back(tenant)


def test_read_only_as_after_a_failover(stage: Stage, tenant: Tenant) -> None:
    reload = "SELECT pg_reload_conf()"
    execute(stage.postgres.url, "ALTER SYSTEM SET default_transaction_read_only = on", reload)
    try:
        assert works_within(
            BACK_S, lambda: httpx.Response(200 if tenant.post(call()).status_code == 503 else 503)
        )
        assert_unavailable(tenant, QUICK_S, paths=())
        for path in READS:
            assert tenant.get(path).status_code == 200
    finally:
        undo = "SET default_transaction_read_only = off"
        execute(
            stage.postgres.url, undo, "ALTER SYSTEM RESET default_transaction_read_only", reload
        )
    assert_back(tenant)


def test_a_locked_table_and_with_it_every_connection_taken(stage: Stage, tenant: Tenant) -> None:
    with locked(stage.url, "usage_records"):
        assert_unavailable(tenant, BOUND_S, paths=("/api/v1/logs",))
        with ThreadPoolExecutor(50) as threads:
            began = time.monotonic()
            answers = [threads.submit(tenant.get, "/api/v1/logs") for _ in range(45)]
            time.sleep(0.5)
            assert_alive(stage.server)
            assert stage.server.http.get("/health/ready").status_code in (200, 503)
            assert {answer.result().status_code for answer in answers} == {503}
        assert time.monotonic() - began < BOUND_S
    assert_back(tenant)


@pytest.mark.parametrize(
    ("state", "what"),
    [
        ("53100", "disk full"),
        ("53200", "out of memory"),
        ("58030", "input/output error"),
        ("57014", "statement cancelled"),
        ("40P01", "deadlock, every time"),
    ],
)
def test_a_write_that_postgresql_refuses_for_now(
    stage: Stage, tenant: Tenant, state: str, what: str
) -> None:
    before = len(tenant.logs())
    with failing(stage.url, f"RAISE EXCEPTION '{what}' USING ERRCODE = '{state}'"):
        assert_unavailable(tenant, QUICK_S, paths=())
        assert len(tenant.logs()) == before
    assert_back(tenant)


def test_a_deadlock_is_tried_again(stage: Stage, tenant: Tenant) -> None:
    twice = """IF nextval('llmring.tries') < 3 THEN
      RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END IF"""
    execute(stage.url, "CREATE SEQUENCE llmring.tries")
    before = len(tenant.logs())
    with failing(stage.url, twice):
        assert tenant.post(call(), Idempotency_Key="k").status_code == 200
    assert len(tenant.logs()) == before + 1


@contextmanager
def failing(url: str, body: str) -> Iterator[None]:
    """Every INSERT of a call runs ``body`` first."""
    execute(
        url,
        f"""CREATE FUNCTION llmring.fail() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN {body}; RETURN NULL; END $$""",
        """CREATE TRIGGER fails BEFORE INSERT ON llmring.usage_records
           FOR EACH STATEMENT EXECUTE FUNCTION llmring.fail()""",
    )
    try:
        yield
    finally:
        execute(url, "DROP FUNCTION llmring.fail() CASCADE")


def test_an_answer_lost_at_any_point_leaves_one_call_after_the_retry(
    stage: Stage, tenant: Tenant
) -> None:
    # Lost before the commit, after it, and never. What the server asks for itself may take answers.
    missed = {(503, False), (503, True), (200, True)}
    for number in range(48):
        stage.between.answers_left = number % 12
        stage.between.set("cut_answers")
        first = tenant.post(call(origin="cut"), Idempotency_Key=f"k{number}")
        stage.between.set("pass")
        second = tenant.post(call(origin="cut"), Idempotency_Key=f"k{number}")
        assert (first.status_code, second.status_code) in ((200, 200), (503, 200))
        assert len(tenant.logs("origin=cut")) == number + 1
        missed.discard((first.status_code, "Idempotency-Replayed" in second.headers))
    assert not missed
