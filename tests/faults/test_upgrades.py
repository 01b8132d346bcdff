"""A migration killed in the middle, and servers of two releases on one database."""

import asyncio
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest

from tests.faults.load import Journal, Load, check, repeat_unanswered
from tests.integration.server import RunningServer, running
from tests.services.postgres import new_database, private_postgres
from tests.services.search import skip_when_unavailable

ROUNDS = 4
# Every statement of a migration takes a while, so that a kill meets it in the middle.
SLOWLY = """
CREATE FUNCTION wait_a_little() RETURNS event_trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM pg_sleep(0.05); END $$;
CREATE EVENT TRIGGER slowly ON ddl_command_end EXECUTE FUNCTION wait_a_little();
"""
# What the next release might do: a column and a table that this one does not know.
NEXT_RELEASE = (
    "ALTER TABLE {schema}usage_records ADD COLUMN region VARCHAR(32)",
    "ALTER TABLE {schema}usage_totals ADD COLUMN credits BIGINT NOT NULL DEFAULT 0",
    "CREATE TABLE {schema}invoices (id VARCHAR(36) PRIMARY KEY)",
    "UPDATE {schema}alembic_version SET version_num = '9999'",
)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'llmring.db'}"
        return
    with skip_when_unavailable(), private_postgres() as server, new_database(server.url) as url:
        yield url


def execute(database_url: str, *statements: str) -> None:
    """Do what another program does to the database."""
    if database_url.startswith("sqlite"):
        file = database_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(file)) as connection, connection:
            for statement in statements:
                connection.execute(statement.format(schema=""))
        return

    async def on_postgres() -> None:
        connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
        for statement in statements:
            await connection.execute(statement.format(schema="llmring."))
        await connection.close()

    asyncio.run(on_postgres())


def test_a_migration_killed_in_the_middle_is_done_by_the_next_server(
    tmp_path: Path, database_url: str
) -> None:
    if database_url.startswith("postgres"):
        execute(database_url, SLOWLY)
    for _ in range(ROUNDS):
        server = RunningServer(tmp_path, database_url=database_url)
        server.launch()
        time.sleep(random.uniform(0.6, 1.6))  # noqa: S311  it starts in about a second
        server.kill()
    with running(tmp_path, database_url=database_url) as server:
        tenant = server.tenant()
        tenant.log()
        assert len(tenant.logs()) == 1


def test_a_server_goes_on_while_a_newer_one_changes_the_schema(
    tmp_path: Path, database_url: str
) -> None:
    with running(tmp_path, database_url=database_url) as server:
        tenant = server.tenant()
        tenant.log()
        known = server.tenant()
        with closing(Journal(tmp_path / "journal")) as journal:
            with Load(known, journal) as load:
                time.sleep(0.3)
                execute(database_url, *NEXT_RELEASE)
                before = load.statuses[200]
                time.sleep(0.7)
            assert load.statuses[200] > before
            assert set(load.statuses) <= {200, 503}
            repeat_unanswered(server, known, journal)
            assert check(server, known, journal) == journal.ids("sent")
        assert tenant.stats()["summary"]["total_requests"] == 1

    again = RunningServer(tmp_path, database_url=database_url)
    again.launch()
    with pytest.raises(Exception, match="which this version does not know"):
        again.wait_until_ready()
