"""The ways into the journal keep what their port promises, each on its own store."""

from collections.abc import AsyncIterator
from functools import partial

import pytest
from asyncpg import Connection
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from llmring_adapters.database import Outages, connect_postgres
from llmring_adapters.gateway.journal import SharedLines
from llmring_adapters.gateway.postgres_journal import PostgresLines
from llmring_adapters.transactions.all_work import AllWork
from llmring_core.errors import StoreUnavailable
from llmring_core.gateway.journal import StartedAttempt, WriteLines
from llmring_core.transactions import Begin
from tests.builders.gateway import ATTEMPT, attempt
from tests.builders.kernel import MICROSECOND, NOON, P2
from tests.contracts.conftest import SCHEMA

A, B, C = attempt(1), attempt(2, project=P2, model=None), attempt(3, model='"\\\u2028№')


@pytest.fixture(params=["memory", "sqlite", "postgres shared", "postgres"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def backend(way: str) -> str:
    return way.split()[0]


@pytest.fixture
async def write(
    way: str, begin: Begin[AllWork], request: pytest.FixtureRequest
) -> AsyncIterator[WriteLines]:
    if way != "postgres":
        yield SharedLines(begin)
        return
    lines = PostgresLines(
        partial(connect_postgres, request.getfixturevalue("migrated_postgres"), SCHEMA)
    )
    yield lines
    await lines.close()


async def kept(begin: Begin[AllWork]) -> list[StartedAttempt]:
    """Take what is written down with a lease until noon."""
    found = []
    async with begin() as work:
        assert await work.attempts.take_lapsed(NOON - MICROSECOND) is None
        while one := await work.attempts.take_lapsed(NOON):
            found.append(one)
    return found


async def test_what_started_is_kept_as_it_is(write: WriteLines, begin: Begin[AllWork]) -> None:
    await write([A, B, ATTEMPT, C], NOON, [])
    assert await kept(begin) == [A, B, C, ATTEMPT]


async def test_what_ended_is_forgotten_also_when_it_started_just_then(
    write: WriteLines, begin: Begin[AllWork]
) -> None:
    await write([A, B], NOON, [])
    await write([C, ATTEMPT], NOON, [A.id, C.id, attempt(4).id])
    assert await kept(begin) == [B, ATTEMPT]
    await write([], NOON, [B.id])
    assert await kept(begin) == []


async def test_nothing_may_be_written(write: WriteLines, begin: Begin[AllWork]) -> None:
    await write([], NOON, [])
    assert await kept(begin) == []


@pytest.mark.parametrize("way", ["sqlite", "postgres shared", "postgres"])
async def test_what_cannot_be_written_leaves_nothing(
    write: WriteLines, begin: Begin[AllWork]
) -> None:
    await write([A], NOON, [])
    with pytest.raises(Exception, match=r"UNIQUE|duplicate"):
        await write([B, A], NOON, [A.id])
    assert await kept(begin) == [A]
    await write([B], NOON, [])  # and does not disturb what comes next
    assert await kept(begin) == [B]


@pytest.mark.parametrize("way", ["postgres"])
async def test_a_connection_that_was_cut_is_replaced(
    write: WriteLines, begin: Begin[AllWork], engine: AsyncEngine
) -> None:
    await write([A], NOON, [])
    async with engine.connect() as connection:
        others = "pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
        await connection.execute(text(f"SELECT pg_terminate_backend(pid, 1000) FROM {others}"))  # noqa: S608  ours
    try:
        await write([B], NOON, [])
    except StoreUnavailable:  # it was not known to be cut
        await write([B], NOON, [])
    assert await kept(begin) == [A, B]


async def test_a_database_that_is_away_is_an_outage() -> None:
    async def away() -> Connection:
        raise ConnectionRefusedError

    outages = Outages()
    with pytest.raises(StoreUnavailable):
        await PostgresLines(away, outages)([A], NOON, [])
    assert outages.count == 1
