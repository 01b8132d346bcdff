"""The servers the tests run on: they start, keep out of others' way, and never stay behind."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest
from redis import Redis

from tests.services.postgres import find_programs, new_database, private_postgres
from tests.services.processes import PREFIX, STALE_S, PortTaken, on_free_port, private_folder
from tests.services.redis import find_program
from tests.services.search import Unavailable, skip_when_unavailable

ROOT = Path(__file__).parents[2]
OURS = ("postgres", "redis-server", "valkey-server")


async def fetch(url: str, query: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


DATABASES = "SELECT datname FROM pg_database ORDER BY 1"
TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"


class TestPostgres:
    async def test_gives_an_empty_database(self, postgres_url: str) -> None:
        assert await fetch(postgres_url, TABLES) == []

    async def test_gives_a_test_a_database_of_its_own(
        self, fresh_postgres: str, postgres_url: str
    ) -> None:
        await fetch(fresh_postgres, "CREATE TABLE mine (id integer)")

        assert await fetch(fresh_postgres, TABLES) == [("mine",)]
        assert await fetch(postgres_url, TABLES) == []

    async def test_drops_the_database_even_while_somebody_is_connected(
        self, postgres_server: str
    ) -> None:
        with new_database(postgres_server) as url:
            connection = await asyncpg.connect(url)
            name = urlsplit(url).path.strip("/")
        connection.terminate()

        assert (name,) not in await fetch(postgres_server, DATABASES)

    async def test_a_durable_server_keeps_its_data_when_killed(self) -> None:
        with skip_when_unavailable(), private_postgres(durable=True) as server:
            await fetch(server.url, "CREATE TABLE kept AS SELECT 1 AS id")
            server.kill()
            server.start()

            assert await fetch(server.url, "SELECT id FROM kept") == [(1,)]
            assert await fetch(server.url, "SHOW fsync") == [("on",)]


class TestRedis:
    def test_is_empty_for_every_test(self, redis_url: str) -> None:
        with Redis.from_url(redis_url) as client:
            assert client.dbsize() == 0
            client.set("left", "behind")

    def test_is_empty_for_every_test_again(self, redis_url: str) -> None:
        with Redis.from_url(redis_url) as client:
            assert client.dbsize() == 0


class TestFolders:
    def test_one_left_behind_goes_when_the_next_is_made(self, tmp_path: Path) -> None:
        left = tmp_path / f"{PREFIX}left"
        left.mkdir()
        make_old(left)

        with private_folder(tmp_path) as folder:
            assert list(tmp_path.iterdir()) == [folder]
        assert list(tmp_path.iterdir()) == []

    def test_one_in_use_stays(self, tmp_path: Path) -> None:
        with private_folder(tmp_path) as used:
            make_old(used)
            with private_folder(tmp_path):
                assert used.exists()


class TestPorts:
    def test_the_next_one_is_tried_when_somebody_was_faster(self) -> None:
        tried: list[int] = []

        def start(port: int) -> None:
            tried.append(port)
            if len(tried) == 1:
                raise PortTaken

        assert on_free_port(start) == tried[1]

    def test_a_server_says_that_its_port_was_taken(self) -> None:
        with skip_when_unavailable(), private_postgres() as server, socket.socket() as somebody:
            server.stop()
            somebody.bind(("127.0.0.1", urlsplit(server.url).port))
            somebody.listen()
            with pytest.raises(PortTaken):
                server.start()


WAITS = """
import os, pathlib, time
def test_waits(postgres_url, redis_url):
    pathlib.Path(os.environ["STARTED"]).touch()
    time.sleep(600)
"""
ASKS = """
def test_asks_for_postgres(postgres_url): pass
def test_asks_for_redis(redis_url): pass
"""


def child_pytest(tmp_path: Path, tests: str, **environment: str) -> subprocess.Popen[str]:
    """A pytest of its own on ``tests``, with our fixtures and only the given TEST_ variables."""
    (tmp_path / "test_child.py").write_text(tests)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    unset = ("TEST_", "PYTEST_", "CI")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(unset)}
    inherited |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    options = ["-p", "tests.services.fixtures", "-p", "no:cacheprovider", "-ra"]
    return subprocess.Popen(  # noqa: S603  our own words
        [sys.executable, "-m", "pytest", *options, tmp_path],
        env=inherited | environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def make_old(folder: Path) -> None:
    long_ago = time.time() - 2 * STALE_S
    os.utime(folder, (long_ago, long_ago))


def ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def wait_until_ended(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended after ten seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not all(map(ended, processes)):
        time.sleep(0.02)
    return [process for process in processes if not ended(process)]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a killed run")
def test_kill_9_leaves_no_server_behind_and_the_next_run_removes_the_folders(
    tmp_path: Path,
) -> None:
    with skip_when_unavailable():
        if find_programs() is None:
            raise Unavailable("PostgreSQL", "TEST_POSTGRES_URL")
        if find_program() is None:
            raise Unavailable("Redis", "TEST_REDIS_URL")
    started = tmp_path / "started"
    with child_pytest(tmp_path, WAITS, STARTED=str(started)) as child:
        while not started.exists():
            assert child.poll() is None, child.communicate()[0]
            time.sleep(0.02)
        servers = psutil.Process(child.pid).children(recursive=True)
        names = {process.name() for process in servers}
        folders = {Path(process.cwd()) for process in servers if process.name() in OURS}
        child.kill()
    assert wait_until_ended(servers) == []

    for folder in {f if f.name.startswith(PREFIX) else f.parent for f in folders}:
        make_old(folder)
        with private_folder(folder.parent):
            assert not folder.exists()
    assert len(names & set(OURS)) == 2


def test_named_servers_that_are_dead_fail_the_tests(tmp_path: Path) -> None:
    dead = {
        "TEST_POSTGRES_URL": "postgresql://somebody:s3cret@127.0.0.1:1/test",
        "TEST_REDIS_URL": "redis://:s3cret@127.0.0.1:2/0",
    }
    with child_pytest(tmp_path, ASKS, **dead) as child:
        output = child.communicate()[0]

    assert child.returncode == 1
    assert "2 errors" in output
    for hint in (*dead, "127.0.0.1:1", "127.0.0.1:2"):
        assert hint in output
    assert "s3cret" not in output


def test_without_any_server_one_line_says_what_was_not_run(tmp_path: Path) -> None:
    with child_pytest(tmp_path, ASKS, TEST_SERVICES="none") as child:
        output = child.communicate()[0]

    assert child.returncode == 0
    assert "2 skipped" in output
    for service in ("PostgreSQL", "Redis"):
        lines = [line for line in output.splitlines() if f"{service} tests were not run" in line]
        assert len(lines) == 1


def test_without_any_server_continuous_integration_fails(tmp_path: Path) -> None:
    with child_pytest(tmp_path, ASKS, TEST_SERVICES="none", CI="true") as child:
        output = child.communicate()[0]

    assert child.returncode == 1
    assert "2 errors" in output
    assert "With CI=true that is a failure." in output


async def test_named_servers_keep_the_data_they_hold(
    fresh_postgres: str, redis_url: str, tmp_path: Path
) -> None:
    named = {"TEST_POSTGRES_URL": fresh_postgres, "TEST_REDIS_URL": redis_url}
    await fetch(fresh_postgres, "CREATE TABLE precious (id integer)")
    databases = await fetch(fresh_postgres, DATABASES)
    with Redis.from_url(redis_url) as client:
        client.set("somebody's", "data")
        with child_pytest(tmp_path, ASKS, **named) as child:
            output = child.communicate()[0]
        assert client.dbsize() == 1

    assert await fetch(fresh_postgres, TABLES) == [("precious",)]
    assert await fetch(fresh_postgres, DATABASES) == databases
    assert "1 passed, 1 error" in output
    assert "database 0 there is not empty (keys: 1)" in output
