"""Writing to PostgreSQL through its driver, where SQLAlchemy's round trips would be felt."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, Final, TypeAlias

from asyncpg import Connection, PostgresError
from msgspec.json import Encoder
from sqlalchemy import Table

from llmring_adapters.database import BROKEN, PASSING, Outages, cut_off_after
from llmring_core.errors import StoreUnavailable

Connect: TypeAlias = Callable[[], Awaitable[Connection]]

WRITE_S: Final = 4.0  # for all of a write, with a new connection where one is needed
CLOSE_S: Final = 2.0

encoder: Final = Encoder()


class OwnConnection:
    """A connection for one user, opened when it is first needed and after it was lost."""

    def __init__(self, connect: Connect, outages: Outages | None = None) -> None:
        self._connect = connect
        self._outages = outages or Outages()
        self._connection: Connection | None = None

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Connection]:
        """Lend it for a write, to one at a time.

        Raises StoreUnavailable; what the database finds wrong with a statement passes.
        """
        give_up = monotonic() + WRITE_S
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._connect()
            with cut_off_after(give_up - monotonic(), self._connection):
                yield self._connection
        except (PostgresError, *BROKEN) as error:
            if isinstance(error, PostgresError) and not _passes(error):
                raise
            self._drop()
            self._outages.count += 1
            raise StoreUnavailable("the database is not ready; try again shortly") from error

    async def close(self) -> None:
        if self._connection is not None:
            try:
                await self._connection.close(timeout=CLOSE_S)
            except (PostgresError, *BROKEN):  # it is closed all the same
                self._connection.terminate()
            self._connection = None

    def _drop(self) -> None:
        """Let go of a connection whose state nobody knows; the next write opens a new one."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


def insert_of_json(table: Table, parameter: int) -> str:
    """Return an INSERT of the rows that a parameter gives as a JSON array of objects.

    The driver looks several times at each value of an array; JSON is one value, however long.
    """
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    rows = f"json_populate_recordset(null::{table.name}, ${parameter}::json)"
    return f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {rows}"  # noqa: S608  our names


def json_of(rows: Iterable[dict[str, Any]]) -> str:
    return encoder.encode(list(rows)).decode()


def _passes(error: PostgresError) -> bool:
    return (error.sqlstate or "").startswith(PASSING)
