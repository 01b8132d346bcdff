"""The program's database: opened at this version's schema, made, looked at, dropped."""

import os
from asyncio import sleep
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from threading import Thread, enumerate

from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from llmring_adapters.database import open_engine, url_of
from llmring_adapters.migrations import SchemaStatus, migrate, schema_status
from llmring_app.container import Container
from llmring_app.errors import CannotStart
from llmring_app.places import sqlite_file
from llmring_app.settings import Settings, without_password

MAINTENANCE = "postgres"  # the database every PostgreSQL server has
MISSING = "3D000"  # PostgreSQL's code for a database that does not exist
TEST_SUFFIX = "_test"
HINTS = {  # what SQLite says, and what helps
    "unable to open database file": "does its folder exist, and may this user write there?",
    "attempt to write a readonly database": "may this user write to the file and its folder?",
    "file is not a database": "name another file; this one is left as it is",
    "already exists": "it holds other tables; name another file or database",
    "database is locked": "another program is writing to it; stop that one first",
    "database or disk is full": "make room on the disk",
}
SQLITE_THREAD = "(_connection_worker_thread)"  # aiosqlite's
THREAD_WAITS = 100  # of 10 ms
CREATE_IT = "`llmring-server db create` makes it"


@asynccontextmanager
async def opened(container: Container) -> AsyncIterator[SchemaStatus]:
    """Bring the container's database to this version's schema, and close it in the end.

    Yields the status from before. Raises: CannotStart when it cannot be used, SchemaTooNew.
    """
    settings = container.settings()
    async with _closing(container.engine()) as engine:
        with _explained(settings):
            before = await migrate(engine, settings.database_schema)
        yield before


@asynccontextmanager
async def as_it_is(container: Container) -> AsyncIterator[SchemaStatus]:
    """Open the container's database without changing it, and close it in the end.

    Raises: CannotStart when it cannot be used or waits for a migration, SchemaTooNew.
    """
    settings = container.settings()
    status = await read_schema_status(settings)
    if status.pending:
        raise CannotStart(
            f"the database {without_password(settings.database_url)} is not at this version's "
            "schema; use the version that made it, or `llmring-server db migrate`"
        )
    async with _closing(container.engine()):
        with _explained(settings):
            yield status


async def read_schema_status(settings: Settings) -> SchemaStatus:
    """Return which revisions are applied and pending; nothing is created.

    Raises: CannotStart when there is no such database, SchemaTooNew.
    """
    file = sqlite_file(settings)
    if file is not None and not file.exists():
        raise CannotStart(f"there is no database {file} yet; {CREATE_IT}")
    engine = open_engine(settings.database_url, settings.database_schema)
    async with _closing(engine):
        with _explained(settings):
            return await schema_status(engine)


async def make_database(settings: Settings) -> bool:
    """Make the PostgreSQL database the URL names when it is missing, and tell whether it was.

    A SQLite file needs no making. Raises: CannotStart.
    """
    if settings.is_sqlite:
        return False
    async with _maintenance(settings) as (connection, name):
        known = text("SELECT 1 FROM pg_database WHERE datname = :name")
        if (await connection.execute(known, {"name": name})).first():
            return False
        await connection.execute(text(f"CREATE DATABASE {_quoted(connection, name)}"))
    return True


async def drop_test_database(settings: Settings) -> None:
    """Delete the database and all that is in it. Raises: CannotStart unless its name ends so."""
    file = sqlite_file(settings)
    name = file.stem if file else url_of(settings.database_url).database or ""
    if not name.endswith(TEST_SUFFIX):
        raise CannotStart(f"only a database whose name ends in {TEST_SUFFIX} may be dropped")
    if file is not None:
        for suffix in ("", "-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)
        return
    async with _maintenance(settings) as (connection, name):
        quoted = _quoted(connection, name)
        await connection.execute(text(f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)"))


@asynccontextmanager
async def _maintenance(settings: Settings) -> AsyncIterator[tuple[AsyncConnection, str]]:
    """Lend a connection beside the database that the URL names, and that name."""
    url: URL = url_of(settings.database_url)
    if not url.database:
        raise CannotStart("LLMRING_DATABASE_URL must name a database, as in postgresql://host/name")
    beside = url.set(database=MAINTENANCE).render_as_string(hide_password=False)
    async with _closing(open_engine(beside, settings.database_schema)) as engine:
        with _explained(settings):
            async with engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                yield connection, url.database


@asynccontextmanager
async def _closing(engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    others = set(enumerate())
    try:
        yield engine
    finally:
        await engine.dispose()
        await _ended(others)


async def _ended(others: set[Thread]) -> None:
    """Wait for the threads of SQLite connections: one that could not be opened leaves its thread
    to report to an event loop, which must not be closed until then.
    """
    for _ in range(THREAD_WAITS):
        if not any(thread.name.endswith(SQLITE_THREAD) for thread in set(enumerate()) - others):
            return
        await sleep(0.01)


@contextmanager
def _explained(settings: Settings) -> Iterator[None]:
    """Turn what a driver says into one line; it never holds the password."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        raise CannotStart(
            f"the database {without_password(settings.database_url)} cannot be used: "
            f"{_reason(error, settings)}"
        ) from error


def _reason(error: SQLAlchemyError | OSError, settings: Settings) -> str:
    if isinstance(error, OSError):
        if error.errno is not None and error.errno > 0:
            return os.strerror(error.errno)  # asyncio's own text says it less clearly
        return error.strerror or str(error) or type(error).__name__
    said = str(error.orig if isinstance(error, DBAPIError) else error).partition("\n")[0]
    password = url_of(settings.database_url).password
    if password and str(password) in said:
        return type(error).__name__
    if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == MISSING:
        return f"{said}; {CREATE_IT}"
    hint = next((hint for words, hint in HINTS.items() if words in said), None)
    return f"{said}; {hint}" if hint else said


def _quoted(connection: AsyncConnection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)
