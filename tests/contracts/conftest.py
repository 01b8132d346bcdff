"""One fixture per port family, one parameter per backend."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from llmring_adapters.database import open_engine
from llmring_adapters.migrations import migrate
from llmring_adapters.schema import metadata
from llmring_adapters.sqlite import Turn
from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.transactions.memory import memory_transactions
from llmring_adapters.transactions.sql import sql_transactions
from llmring_core.transactions import Begin
from tests.services.postgres import new_database
from tests.services.search import skip_when_unavailable

SCHEMA = "llmring"
CONNECTIONS = 50  # so many transactions at once that none waits for a connection


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def turn() -> Turn:
    """What everything that writes to SQLite waits for."""
    return Turn()


@pytest.fixture
def begin(backend: str, turn: Turn, request: pytest.FixtureRequest) -> Begin[AllWork]:
    """Transactions over an empty store, migrated as in production."""
    if backend == "memory":
        return memory_transactions()
    return sql_transactions(request.getfixturevalue("engine"), turn=turn)


@pytest.fixture
async def engine(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AsyncEngine]:
    """The database behind ``begin``, where that is one; migrated once for the whole session."""
    if backend == "sqlite":
        file = shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "copy.db")
        url = f"sqlite:///{file}"
    else:  # copying a database takes PostgreSQL a quarter of a second; emptying it does not
        url = request.getfixturevalue("migrated_postgres")
    opened = open_engine(url, SCHEMA, pool_size=CONNECTIONS)
    async with opened.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            await connection.execute(table.delete())
    yield opened
    await opened.dispose()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("migrated") / "migrated.db"
    _migrate(f"sqlite:///{file}")
    with closing(connect(file)) as connection:  # everything into the one file that is copied
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> Iterator[str]:
    with skip_when_unavailable(), new_database(postgres_server) as url:
        _migrate(url)
        yield url


def _migrate(url: str) -> None:
    """In a thread of its own: the test that asks first may have an event loop already."""

    async def migrated() -> None:
        engine = open_engine(url, SCHEMA)
        await migrate(engine, SCHEMA)
        await engine.dispose()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, migrated()).result()
