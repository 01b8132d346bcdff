"""Opening a database: SQLite in a file, or PostgreSQL."""

from asyncio import get_running_loop, sleep
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import SQLITE_BUSY, SQLITE_CORRUPT, SQLITE_NOTADB, OperationalError
from time import monotonic
from typing import Any, TypeAlias, cast

import aiosqlite
from asyncpg import Connection, InterfaceError, InternalClientError, connect
from sqlalchemy import URL, event, make_url, text
from sqlalchemy import Connection as SyncConnection
from sqlalchemy.exc import ArgumentError, DisconnectionError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

READ_ONLY = "llmring_read_only"  # execution option: this transaction does not write

DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
PARAMETERS: dict[str, set[str]] = {"sqlite": set(), "postgresql": {"sslmode", "application_name"}}
POOL_WAIT_S = 1.0
CONNECT_S = 3.0
PING_S = 2.0
SQLITE_BUSY_MS = 5_000
SQLITE_SETTINGS = (
    "synchronous=FULL",  # a commit is on disk before it returns
    "foreign_keys=ON",
    f"busy_timeout={SQLITE_BUSY_MS}",
)
POSTGRES_LIMITS = {
    "statement_timeout": "5000",  # ms
    "lock_timeout": "2000",  # ms
    "idle_in_transaction_session_timeout": "10000",  # ms
}

FileIdentity: TypeAlias = tuple[int, int]  # device, inode

# What the driver raises when a connection is lost while it is being used, besides SQL states.
BROKEN = (InterfaceError, InternalClientError, OSError)

# PostgreSQL's classes of errors that pass: connection, read-only standby, rollback to be retried,
# out of resources, lock not available, operator intervention (also time-outs), system error.
PASSING = ("08", "25006", "40", "53", "55P03", "57", "58")


# What SQLite says of a file that is damaged, besides what is an OperationalError.
DAMAGED = (SQLITE_CORRUPT, SQLITE_NOTADB)


class Outages:
    """How many transactions failed because the database was away, busy or full."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class UnusableDatabaseUrl(ValueError):
    """The database URL cannot be used. The message never repeats it: it may hold a password."""


def url_of(text: str) -> URL:
    """Read a database URL as people write it; the driver is ours to choose.

    Raises: UnusableDatabaseUrl.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise UnusableDatabaseUrl("it is no URL such as postgresql://host/name") from None
    if url.drivername == "postgres":
        url = url.set(drivername="postgresql")
    if url.drivername not in DRIVERS:
        raise UnusableDatabaseUrl("it must begin with sqlite:/// or postgresql://")
    unknown = set(url.query) - PARAMETERS[url.get_backend_name()]
    if unknown:
        raise UnusableDatabaseUrl(f"the parameter {min(unknown)} is not known here")
    return url.set(drivername=DRIVERS[url.drivername])


def open_engine(url: str, schema: str, pool_size: int = 20, max_overflow: int = 10) -> AsyncEngine:
    """Return an engine that connects when it is first used.

    ``schema`` is where PostgreSQL keeps the tables; SQLite has none. Raises UnusableDatabaseUrl.
    """
    target = url_of(url)
    if target.get_backend_name() == "sqlite":
        return _sqlite(target)
    return _postgres(target, schema, pool_size, max_overflow)


async def connect_postgres(url: str, schema: str) -> Connection:
    """Open a connection of the driver's own, with the same settings as the engine's."""
    target = url_of(url)
    return await connect(
        host=target.host,
        port=target.port,
        user=target.username,
        password=target.password,
        database=target.database,
        **_postgres_arguments(target, schema),
    )


async def ping(engine: AsyncEngine) -> bool:
    """Tell whether the database answers."""
    try:
        async with engine.connect() as connection:
            with limited(connection, PING_S):
                await connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError):
        return False
    return True


@contextmanager
def limited(connection: AsyncConnection, seconds: float) -> Iterator[None]:
    """Lose the connection to PostgreSQL when the block takes longer.

    SQLite is in this process, and waits no longer than its busy time-out.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    lent = cast(SyncConnection, connection.sync_connection).connection
    with cut_off_after(seconds, lent.driver_connection):
        yield


@contextmanager
def cut_off_after(seconds: float, connection: Connection) -> Iterator[None]:
    """Lose ``connection`` when the block takes longer: whatever waits for it fails at once.

    A server that is away cannot be asked to stop, and PostgreSQL's own limits are not heard when
    the network swallows the answer.
    """
    timer = get_running_loop().call_later(seconds, connection.terminate)
    try:
        yield
    finally:
        timer.cancel()


def passes_in_sqlite(error: BaseException | None) -> bool:
    """Tell what is wrong with the file, its disk or its other users from what is with a row."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, OperationalError) or code in DAMAGED


def _sqlite(url: URL) -> AsyncEngine:
    file = Path(url.database) if url.database and url.database != ":memory:" else None
    pool = {"pool_timeout": POOL_WAIT_S} if file else {}  # in memory there is one connection
    engine = create_async_engine(
        url, connect_args={"timeout": SQLITE_BUSY_MS / 1000}, hide_parameters=True, **pool
    )

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver would begin and commit on its own
        connection.run_async(_write_ahead)
        cursor = connection.cursor()
        for setting in SQLITE_SETTINGS:
            cursor.execute(f"PRAGMA {setting}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: SyncConnection) -> None:
        # A writer that begins as a reader fails at once when another one writes in between.
        reads = connection.get_execution_options().get(READ_ONLY, False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    if file:
        _watch_file(engine, file)
    return engine


def _watch_file(engine: AsyncEngine, file: Path) -> None:
    """Refuse to work on a file that has been removed; go over to one put in its place.

    SQLite itself would go on with the removed file, and whatever it acknowledges would be lost.
    """
    seen: list[FileIdentity] = []

    @event.listens_for(engine.sync_engine, "do_connect")
    def keep_missing(*_: Any) -> None:
        if seen:  # a new file would be empty; the first one is ours to make
            file.stat()

    @event.listens_for(engine.sync_engine, "connect")
    def remember(_: Any, record: Any) -> None:
        record.info["file"] = identity_of(file)
        seen[:] = [record.info["file"]]

    @event.listens_for(engine.sync_engine, "checkout")
    def compare(_: Any, record: Any, __: Any) -> None:
        if record.info["file"] != identity_of(file):
            raise DisconnectionError("the file was replaced")


def identity_of(file: Path) -> FileIdentity:
    """Return what tells ``file`` from one put in its place. Raises FileNotFoundError."""
    found = file.stat()
    return found.st_dev, found.st_ino


async def _write_ahead(connection: aiosqlite.Connection) -> None:
    """Switch the file to WAL.

    Where several do that to a new file at once, SQLite refuses some without its busy time-out.
    """
    deadline = monotonic() + SQLITE_BUSY_MS / 1000
    while True:
        try:
            await connection.execute_fetchall("PRAGMA journal_mode=WAL")
        except aiosqlite.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == SQLITE_BUSY
            if not busy or monotonic() > deadline:
                raise
            await sleep(0.01)
        else:
            return


def _postgres(url: URL, schema: str, pool_size: int, max_overflow: int) -> AsyncEngine:
    engine = create_async_engine(
        url.set(query={}),
        connect_args=_postgres_arguments(url, schema),
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_timeout=POOL_WAIT_S,
        hide_parameters=True,  # an error is logged, and what a caller sent is not to be
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def compare(connection: Any, _: Any, __: Any) -> None:
        if connection.driver_connection.is_closed():  # found out without a question to the server
            raise DisconnectionError("the server closed the connection")

    return engine


def _postgres_arguments(url: URL, schema: str) -> dict[str, Any]:
    """Return what every connection is opened with, besides its address."""
    settings = POSTGRES_LIMITS | {"search_path": f"{_quoted(schema)}, public"}
    if "application_name" in url.query:
        settings["application_name"] = str(url.query["application_name"])
    arguments: dict[str, Any] = {"timeout": CONNECT_S, "server_settings": settings}
    if "sslmode" in url.query:
        arguments["ssl"] = url.query["sslmode"]  # libpq's name for what asyncpg calls ssl
    return arguments


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
