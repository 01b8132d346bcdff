"""The migrations build exactly the schema the adapters expect, once, and can be undone."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeVar

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

import llmring_adapters
import llmring_adapters.transactions.sql  # loads every table
from llmring_adapters.database import open_engine
from llmring_adapters.migrations import (
    SchemaStatus,
    SchemaTooNew,
    alembic_config,
    migrate,
    schema_status,
)
from llmring_adapters.schema import metadata

SCHEMA = 'Größe "7"'  # where PostgreSQL keeps the tables
SERVERS = 4
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(llmring_adapters.__file__).parents[1])}

# A server that starts: it says how many revisions it applied.
STARTING = """
import asyncio, sys
from llmring_adapters.database import open_engine
from llmring_adapters.migrations import migrate

async def main(url, schema):
    engine = open_engine(url, schema)
    print(len((await migrate(engine, schema)).pending))
    await engine.dispose()

asyncio.run(main(*sys.argv[1:]))
"""

Result = TypeVar("Result")


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new.db"
    return str(request.getfixturevalue("fresh_postgres"))


@pytest.fixture
async def engine(url: str) -> AsyncIterator[AsyncEngine]:
    opened = open_engine(url, SCHEMA)
    yield opened
    await opened.dispose()


async def on(engine: AsyncEngine, work: Callable[[Connection], Result]) -> Result:
    async with engine.begin() as connection:
        return await connection.run_sync(work)


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def differences(connection: Connection) -> list[object]:
    """What autogenerate would write into the next revision."""
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    return list(compare_metadata(context, metadata))


async def test_up_is_what_the_adapters_expect(engine: AsyncEngine) -> None:
    await migrate(engine, SCHEMA)
    assert await on(engine, tables) == {"alembic_version", *metadata.tables}
    assert await on(engine, differences) == []


async def test_the_comparison_would_notice_a_difference(engine: AsyncEngine) -> None:
    await migrate(engine, SCHEMA)
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE answers ADD COLUMN surplus INTEGER"))
    assert len(await on(engine, differences)) == 1


async def test_down_leaves_nothing(engine: AsyncEngine) -> None:
    await migrate(engine, SCHEMA)
    await on(engine, lambda connection: command.downgrade(alembic_config(connection), "base"))
    assert await on(engine, tables) == {"alembic_version"}
    assert (await schema_status(engine)).applied == []


async def test_down_and_up_again_works(engine: AsyncEngine) -> None:
    await migrate(engine, SCHEMA)
    await on(engine, lambda connection: command.downgrade(alembic_config(connection), "base"))
    await migrate(engine, SCHEMA)
    assert await on(engine, differences) == []


async def test_the_second_time_there_is_nothing_to_do(engine: AsyncEngine) -> None:
    before = await migrate(engine, SCHEMA)
    assert before.applied == [] and before.pending
    done = SchemaStatus(applied=before.pending, pending=[])
    assert await migrate(engine, SCHEMA) == done
    assert await schema_status(engine) == done


async def test_asking_for_the_status_applies_nothing(engine: AsyncEngine) -> None:
    assert (await schema_status(engine)).applied == []
    assert await on(engine, tables) == set()


async def test_a_schema_from_the_future_is_refused_and_left_alone(engine: AsyncEngine) -> None:
    await migrate(engine, SCHEMA)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for ask in (migrate(engine, SCHEMA), schema_status(engine)):
        with pytest.raises(SchemaTooNew, match="9999"):
            await ask
    assert await on(engine, tables) == {"alembic_version", *metadata.tables}


async def test_of_engines_that_start_together_exactly_one_migrates(url: str) -> None:
    async with AsyncExitStack() as stack:
        engines = [open_engine(url, SCHEMA) for _ in range(SERVERS)]
        for engine in engines:
            stack.push_async_callback(engine.dispose)
        found = await asyncio.gather(*(migrate(engine, SCHEMA) for engine in engines))
        assert sorted(bool(status.pending) for status in found) == [False] * (SERVERS - 1) + [True]
        assert await on(engines[0], differences) == []


def test_of_processes_that_start_together_exactly_one_migrates(url: str) -> None:
    starting = [sys.executable, "-c", STARTING, url, SCHEMA]
    servers = [
        subprocess.Popen(starting, env=ENVIRONMENT, stdout=subprocess.PIPE)  # noqa: S603  our own
        for _ in range(SERVERS)
    ]
    printed = [server.communicate(timeout=60)[0].strip() for server in servers]
    assert [server.returncode for server in servers] == [0] * SERVERS
    assert printed.count(b"0") == SERVERS - 1


async def test_a_migration_that_fails_leaves_nothing(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            quoted = engine.dialect.identifier_preparer.quote(SCHEMA)
            await connection.execute(text(f"CREATE SCHEMA {quoted}"))
        await connection.execute(text("CREATE TABLE usage_totals (theirs INTEGER)"))
    with pytest.raises(DBAPIError, match="usage_totals"):
        await migrate(engine, SCHEMA)
    assert await on(engine, tables) == {"usage_totals"}
