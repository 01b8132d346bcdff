"""SQLite's file locked, full, gone, replaced or not ours: one clear line, or a 503 and back."""

import resource
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.faults.load import Journal, Load, check, repeat_unanswered
from tests.integration.server import RunningServer, Tenant, call, environment, program, running

BOUND_S = 8.0  # for any request: the busy time-out, and some
BACK_S = 2.0
FILE = "llmring.db"


@pytest.fixture
def tenant(tmp_path: Path) -> Iterator[Tenant]:
    with running(tmp_path) as server:
        found = server.tenant()
        found.log(origin="before")
        yield found


def refused(tenant: Tenant) -> bool:
    """Whether a call is refused in time, as something that is worth repeating."""
    began = time.monotonic()
    answer = tenant.post(call())
    assert time.monotonic() - began < BOUND_S
    assert answer.status_code in (200, 503), answer.text
    if answer.status_code == 503:
        assert answer.headers["Retry-After"] == "1"
    return answer.status_code == 503


def comes_back(tenant: Tenant) -> bool:
    deadline = time.monotonic() + BACK_S
    while time.monotonic() < deadline:
        if tenant.post(call(origin="after")).status_code == 200:
            return True
        time.sleep(0.05)
    return False


def is_sound(folder: Path) -> bool:
    with closing(sqlite3.connect(folder / FILE)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@contextmanager
def files_of_at_most(size: int, server: RunningServer) -> Iterator[None]:
    """Let no file of the server grow beyond ``size`` bytes: what a full disk looks like to it."""
    pid = server.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


class TestRunning:
    def test_locked_by_another_program(self, tenant: Tenant) -> None:
        with closing(sqlite3.connect(tenant.server.folder / FILE, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert refused(tenant)
            assert len(tenant.logs()) == 1  # reading goes on
            other.execute("ROLLBACK")
        assert comes_back(tenant)

    def test_disk_full(self, tenant: Tenant, tmp_path: Path) -> None:
        server = tenant.server
        with closing(Journal(tmp_path / "journal")) as journal:
            wal = tmp_path / f"{FILE}-wal"
            with files_of_at_most(wal.stat().st_size + 64 * 1024, server):
                with Load(other := server.tenant(), journal) as load:
                    time.sleep(1.0)
                assert load.statuses[503] > 0
                assert load.slowest_s < BOUND_S
                assert len(tenant.logs()) == 1  # reading goes on
            assert comes_back(tenant)
            repeat_unanswered(server, other, journal)
            assert check(server, other, journal) == journal.ids("sent")
        assert is_sound(tmp_path)

    def test_file_removed_and_put_back(self, tenant: Tenant, tmp_path: Path) -> None:
        with closing(sqlite3.connect(tmp_path / FILE)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(tmp_path / FILE, tmp_path / "copy.db")
        for file in tmp_path.glob(f"{FILE}*"):
            file.unlink()
        assert refused(tenant)
        assert not (tmp_path / FILE).exists()  # no empty one is put in its place
        assert tenant.server.http.get("/health/ready").status_code == 503
        assert tenant.server.http.get("/health/live").status_code == 200
        (tmp_path / "copy.db").rename(tmp_path / FILE)
        assert comes_back(tenant)
        assert {row["origin"] for row in tenant.logs()} == {"before", "after"}


NOT_OURS: dict[str, Callable[[Path], object]] = {
    "file is not a database": lambda file: file.write_bytes(b"no database " * 1000),
    "unable to open database file": lambda file: file.mkdir(),
    "schema revision 9999": lambda file: made(
        file,
        "CREATE TABLE alembic_version (version_num TEXT)",
        "INSERT INTO alembic_version VALUES ('9999')",
    ),
    "holds other tables": lambda file: made(file, "CREATE TABLE usage_records (x)"),
}


def made(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def content(file: Path) -> object:
    if file.is_dir():
        return None
    try:
        with closing(sqlite3.connect(file)) as connection:
            return list(connection.iterdump())
    except sqlite3.DatabaseError:
        return file.read_bytes()


def start(folder: Path, **settings: str) -> list[str]:
    """The lines a server says that refuses to start."""
    done = subprocess.run(  # noqa: S603  our own words
        program("serve", "--port", "0"),
        cwd=folder,
        env=environment(folder, settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    return (done.stdout + done.stderr).splitlines()


class TestStart:
    @pytest.mark.parametrize("said", NOT_OURS)
    def test_refuses_a_file_that_is_not_ours_and_leaves_it_alone(
        self, tmp_path: Path, said: str
    ) -> None:
        file = tmp_path / FILE
        NOT_OURS[said](file)
        before = content(file)
        (line,) = start(tmp_path)
        assert line.startswith("Error: the database")
        assert said in line
        assert content(file) == before

    def test_refuses_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        (line,) = start(tmp_path, database_url=f"sqlite:///{tmp_path}/nowhere/{FILE}")
        assert "does its folder exist, and may this user write there?" in line

    def test_refuses_a_file_another_program_is_writing_to(self, tmp_path: Path) -> None:
        with running(tmp_path):
            pass
        with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            (line,) = start(tmp_path)
        assert "another program is writing to it" in line
