"""Bringing a database to this version's schema, and refusing one that is ahead of it."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from msgspec import Struct
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

HERE = Path(__file__).parent
# In a wheel the migrations lie inside this package; in a checkout at the top of the repository.
SCRIPTS = next(p for p in (HERE / "_alembic", HERE.parents[1] / "alembic") if p.is_dir())
LOCK = 0x6C6C6D72696E67  # "llmring": servers that start together migrate one after the other


class SchemaTooNew(Exception):
    """The database was migrated by a newer version of this program."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"the database has schema revision {revision}, which this version does not know; "
            "run the version that made it, or a newer one"
        )


class SchemaStatus(Struct, frozen=True, kw_only=True):
    applied: list[str]  # revisions, oldest first
    pending: list[str]  # revisions, in the order they would be applied


async def migrate(engine: AsyncEngine, schema: str) -> SchemaStatus:
    """Apply what is pending, in one transaction; return the status from before.

    Servers may call this at the same time: the first one works, the others wait and find nothing
    to do. Raises SchemaTooNew.
    """
    async with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            await connection.execute(text("SET LOCAL lock_timeout = 0"))
            await connection.execute(text("SET LOCAL statement_timeout = 0"))
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
            quoted = engine.dialect.identifier_preparer.quote(schema)
            await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {quoted}"))
        # On SQLite the transaction itself is the lock: it began IMMEDIATE.
        before = await connection.run_sync(_status)
        if before.pending:
            await connection.run_sync(_upgrade)
        await connection.commit()
    return before


async def schema_status(engine: AsyncEngine) -> SchemaStatus:
    """Read which revisions are applied. Raises SchemaTooNew."""
    async with engine.connect() as connection:
        return await connection.run_sync(_status)


def alembic_config(connection: Connection) -> Config:
    """Return what alembic's commands need to work on ``connection``."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _status(connection: Connection) -> SchemaStatus:
    scripts = ScriptDirectory.from_config(alembic_config(connection))
    history = [script.revision for script in scripts.walk_revisions()][::-1]
    current = MigrationContext.configure(connection).get_current_revision()
    if current is None:
        return SchemaStatus(applied=[], pending=history)
    if current not in history:
        raise SchemaTooNew(current)
    reached = history.index(current) + 1
    return SchemaStatus(applied=history[:reached], pending=history[reached:])


def _upgrade(connection: Connection) -> None:
    command.upgrade(alembic_config(connection), "head")
