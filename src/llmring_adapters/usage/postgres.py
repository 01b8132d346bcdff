"""Writing many entries to PostgreSQL in one statement.

Through SQLAlchemy a lone call costs four round trips and most of a millisecond of Python; here it
costs one of each kind of statement there is to send. So this one statement goes to the driver.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from time import monotonic
from typing import Any, TypeAlias, cast

from asyncpg import (
    Connection,
    DeadlockDetectedError,
    InterfaceError,
    NumericValueOutOfRangeError,
    PostgresError,
    SerializationError,
    UniqueViolationError,
)
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, SmallInteger, Table

from llmring_adapters.database import PASSING, cut_off_after
from llmring_adapters.idempotency.sql import first_answers, row_of
from llmring_adapters.schema import Usd, UtcDateTime, picos_of
from llmring_adapters.usage.tables import COLUMNS, usage_records, usage_totals, values_of
from llmring_adapters.usage.totals import totals_of
from llmring_core.errors import StoreUnavailable
from llmring_core.idempotency import AlreadyAnswered, Answer
from llmring_core.usage import DuplicateUsage, Entry, TotalsOverflow, UsageRecord

Connect: TypeAlias = Callable[[], Awaitable[Connection]]

WRITE_S = 4.0  # for all of a write, with a new connection where one is needed
CLOSE_S = 2.0
ATTEMPTS = 3  # where PostgreSQL took a transaction back and says so

TOTALS = [str(column.name) for column in usage_totals.columns]
ANSWERS = [str(column.name) for column in first_answers.columns]
ARRAYS = {
    BigInteger: "bigint[]",
    Integer: "integer[]",
    LargeBinary: "bytea[]",
    SmallInteger: "smallint[]",
    Usd: "bigint[]",
    UtcDateTime: "timestamptz[]",
}
COSTS = [COLUMNS.index("cost_usd"), COLUMNS.index("registry_cost_usd")]


def _array(column: Column[Any]) -> str:
    """Return the PostgreSQL type of an array of the column's values."""
    return ARRAYS.get(type(column.type), "text[]")


def _insert(table: Table, first: int = 1) -> str:
    """Return an INSERT of rows given as one array a column, from parameter ``first`` on."""
    columns = list(table.columns)
    names = ", ".join(f'"{column.name}"' for column in columns)
    arrays = ", ".join(f"${first + i}::{_array(column)}" for i, column in enumerate(columns))
    return f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({arrays})"  # noqa: S608


ADDED = ("requests", "input_tokens", "cached_input_tokens", "output_tokens", "unpriced")
WRITE_CALLS = f"""
WITH stored AS ({_insert(usage_records)})
{_insert(usage_totals, first=len(COLUMNS) + 1)}
ON CONFLICT (project, span, start, cell) DO UPDATE SET
  {", ".join(f"{name} = usage_totals.{name} + excluded.{name}" for name in ADDED)},
  cost_micros = usage_totals.cost_micros + excluded.cost_micros
    + (usage_totals.cost_picos + excluded.cost_picos) / 1000000,
  cost_picos = (usage_totals.cost_picos + excluded.cost_picos) % 1000000
"""
WRITE_ANSWERS = f"""
{_insert(first_answers)}
ON CONFLICT (project, scope, key) DO UPDATE SET
  fingerprint = excluded.fingerprint, body = excluded.body, expires_at = excluded.expires_at
WHERE answers.expires_at <= $7
RETURNING project, scope, key
"""


class PostgresWriter:
    """Writes entries on a connection of its own, opened when it is first needed."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection: Connection | None = None

    async def __call__(self, entries: Sequence[Entry]) -> None:
        """Commit all of them or none.

        Raises: AlreadyAnswered, DuplicateUsage, TotalsOverflow, StoreUnavailable.
        """
        records = [entry.record for entry in entries]
        answers = [answer for entry in entries for answer in entry.answers]
        calls = [*_call_arrays(records), *_arrays(TOTALS, totals_of(records))]
        give_up = monotonic() + WRITE_S
        try:
            connection = await self._connected()
            with cut_off_after(give_up - monotonic(), connection):
                await _write(connection, answers, calls, entries[0].taken_at)
        except UniqueViolationError as error:
            raise DuplicateUsage(records[0].id) from error
        except NumericValueOutOfRangeError as error:
            raise TotalsOverflow from error
        except (PostgresError, InterfaceError, OSError) as error:
            if isinstance(error, PostgresError) and not _passes(error):
                raise
            self._drop()
            raise StoreUnavailable("the database is not ready; try again shortly") from error

    async def close(self) -> None:
        if self._connection is not None:
            try:
                await self._connection.close(timeout=CLOSE_S)
            except (PostgresError, InterfaceError, OSError):  # it is closed all the same
                self._connection.terminate()
            self._connection = None

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
        return self._connection

    def _drop(self) -> None:
        """Let go of a connection whose state nobody knows; the next write opens a new one."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


async def _write(
    connection: Connection,
    answers: Sequence[Answer],
    calls: Sequence[Sequence[object]],
    now: datetime,
) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            if not answers:
                await connection.execute(WRITE_CALLS, *calls)
                return
            async with connection.transaction():
                await _write_answers(connection, answers, now)
                await connection.execute(WRITE_CALLS, *calls)
        except (DeadlockDetectedError, SerializationError):  # nothing of it was kept
            if attempt == ATTEMPTS:
                raise
        else:
            return


async def _write_answers(connection: Connection, answers: Sequence[Answer], now: datetime) -> None:
    rows = [row_of(answer) for answer in sorted(answers, key=lambda answer: answer.name)]
    found = await connection.fetch(WRITE_ANSWERS, *_arrays(ANSWERS, rows), now)
    kept = {tuple(row) for row in found}
    if len(kept) < len(answers):
        raise AlreadyAnswered([answer.name for answer in answers if answer.name not in kept])


def _call_arrays(records: Sequence[UsageRecord]) -> list[Sequence[object]]:
    arrays: list[Sequence[object]] = list(zip(*map(values_of, records), strict=True))
    for index in COSTS:
        costs = cast(Sequence[Decimal | None], arrays[index])
        arrays[index] = [None if cost is None else picos_of(cost) for cost in costs]
    return arrays


def _arrays(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> list[list[object]]:
    return [[row[column] for row in rows] for column in columns]


def _passes(error: PostgresError) -> bool:
    return (error.sqlstate or "").startswith(PASSING)
