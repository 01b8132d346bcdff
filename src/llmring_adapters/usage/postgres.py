"""Writing many entries to PostgreSQL in one statement.

Through SQLAlchemy a lone call costs four round trips and most of a millisecond of Python; here it
costs one of each kind of statement there is to send. So these go to the driver.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from time import monotonic
from typing import Any, TypeAlias

from asyncpg import (
    Connection,
    DeadlockDetectedError,
    NumericValueOutOfRangeError,
    PostgresError,
    SerializationError,
    UniqueViolationError,
)
from msgspec.json import Encoder
from sqlalchemy import Table

from llmring_adapters.database import BROKEN, PASSING, Outages, cut_off_after
from llmring_adapters.idempotency.sql import first_answers, row_of
from llmring_adapters.schema import Usd, picos_of
from llmring_adapters.usage.tables import row_of as usage_row_of
from llmring_adapters.usage.tables import usage_records, usage_totals
from llmring_adapters.usage.totals import totals_of
from llmring_core.errors import StoreUnavailable
from llmring_core.idempotency import AlreadyAnswered, Answer
from llmring_core.usage import DuplicateUsage, Entry, TotalsOverflow, UsageRecord

Connect: TypeAlias = Callable[[], Awaitable[Connection]]

WRITE_S = 4.0  # for all of a write, with a new connection where one is needed
CLOSE_S = 2.0
ATTEMPTS = 3  # where PostgreSQL took a transaction back and says so

COSTS = [str(column.name) for column in usage_records.columns if isinstance(column.type, Usd)]
ADDED = ("requests", "input_tokens", "cached_input_tokens", "output_tokens", "unpriced")

encoder = Encoder()


def _insert(table: Table, parameter: int) -> str:
    """Return an INSERT of the rows that a parameter gives as a JSON array of objects.

    The driver looks several times at each value of an array; JSON is one value, however long.
    """
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    rows = f"json_populate_recordset(null::{table.name}, ${parameter}::json)"
    return f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {rows}"  # noqa: S608  our names


WRITE_CALLS = f"""
WITH stored AS ({_insert(usage_records, 1)})
{_insert(usage_totals, 2)}
ON CONFLICT (project, span, start, cell) DO UPDATE SET
  {", ".join(f"{name} = usage_totals.{name} + excluded.{name}" for name in ADDED)},
  cost_micros = usage_totals.cost_micros + excluded.cost_micros
    + (usage_totals.cost_picos + excluded.cost_picos) / 1000000,
  cost_picos = (usage_totals.cost_picos + excluded.cost_picos) % 1000000
"""
WRITE_ANSWERS = f"""
{_insert(first_answers, 1)}
ON CONFLICT (project, scope, key) DO UPDATE SET
  fingerprint = excluded.fingerprint, body = excluded.body, expires_at = excluded.expires_at
WHERE answers.expires_at <= $2
RETURNING project, scope, key
"""


class PostgresWriter:
    """Writes entries on a connection of its own, opened when it is first needed."""

    def __init__(self, connect: Connect, outages: Outages | None = None) -> None:
        self._connect = connect
        self._outages = outages or Outages()
        self._connection: Connection | None = None

    async def __call__(self, entries: Sequence[Entry]) -> list[None]:
        """Commit all of them or none.

        Raises: AlreadyAnswered, DuplicateUsage, TotalsOverflow, StoreUnavailable.
        """
        records = [entry.record for entry in entries]
        answers = [answer for entry in entries for answer in entry.answers]
        calls = _json(map(_call_row, records)), _json(map(_total_row, totals_of(records)))
        give_up = monotonic() + WRITE_S
        try:
            connection = await self._connected()
            with cut_off_after(give_up - monotonic(), connection):
                await _write(connection, answers, calls, entries[0].taken_at)
        except UniqueViolationError as error:
            raise DuplicateUsage(records[0].id) from error
        except NumericValueOutOfRangeError as error:
            raise TotalsOverflow from error
        except (PostgresError, *BROKEN) as error:
            if isinstance(error, PostgresError) and not _passes(error):
                raise
            self._drop()
            self._outages.count += 1
            raise StoreUnavailable("the database is not ready; try again shortly") from error
        return [None] * len(entries)

    async def close(self) -> None:
        if self._connection is not None:
            try:
                await self._connection.close(timeout=CLOSE_S)
            except (PostgresError, *BROKEN):  # it is closed all the same
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
    calls: tuple[str, str],
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
    in_order = sorted(answers, key=lambda answer: answer.name)  # so no deadlocks
    found = await connection.fetch(WRITE_ANSWERS, _json(map(row_of, in_order)), now)
    kept = {tuple(row) for row in found}
    if len(kept) < len(answers):
        raise AlreadyAnswered([answer.name for answer in answers if answer.name not in kept])


def _call_row(record: UsageRecord) -> dict[str, Any]:
    row = usage_row_of(record)
    for cost in COSTS:
        if row[cost] is not None:
            row[cost] = picos_of(row[cost])
    return row


def _total_row(total: dict[str, Any]) -> dict[str, Any]:
    return total | {"cell": "\\x" + total["cell"].hex()}


def _json(rows: Iterable[dict[str, Any]]) -> str:
    return encoder.encode(list(rows)).decode()


def _passes(error: PostgresError) -> bool:
    return (error.sqlstate or "").startswith(PASSING)
