"""Writing many entries to PostgreSQL in one statement.

Through SQLAlchemy a lone call costs four round trips and most of a millisecond of Python; here it
costs one of each kind of statement there is to send. So these go to the driver.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from asyncpg import (
    Connection,
    DeadlockDetectedError,
    NumericValueOutOfRangeError,
    SerializationError,
    UniqueViolationError,
)

from llmring_adapters.database import Outages
from llmring_adapters.idempotency.sql import first_answers, row_of
from llmring_adapters.postgres import Connect, OwnConnection, insert_of_json, json_of
from llmring_adapters.schema import Usd, picos_of
from llmring_adapters.usage.tables import row_of as usage_row_of
from llmring_adapters.usage.tables import usage_records, usage_totals
from llmring_adapters.usage.totals import totals_of
from llmring_core.idempotency import AlreadyAnswered, Answer
from llmring_core.usage import DuplicateUsage, Entry, TotalsOverflow, UsageRecord

ATTEMPTS = 3  # where PostgreSQL took a transaction back and says so

COSTS = [str(column.name) for column in usage_records.columns if isinstance(column.type, Usd)]
ADDED = ("requests", "input_tokens", "cached_input_tokens", "output_tokens", "unpriced")

WRITE_CALLS = f"""
WITH stored AS ({insert_of_json(usage_records, 1)})
{insert_of_json(usage_totals, 2)}
ON CONFLICT (project, span, start, cell) DO UPDATE SET
  {", ".join(f"{name} = usage_totals.{name} + excluded.{name}" for name in ADDED)},
  cost_micros = usage_totals.cost_micros + excluded.cost_micros
    + (usage_totals.cost_picos + excluded.cost_picos) / 1000000,
  cost_picos = (usage_totals.cost_picos + excluded.cost_picos) % 1000000
"""
WRITE_ANSWERS = f"""
{insert_of_json(first_answers, 1)}
ON CONFLICT (project, scope, key) DO UPDATE SET
  fingerprint = excluded.fingerprint, body = excluded.body, expires_at = excluded.expires_at
WHERE answers.expires_at <= $2
RETURNING project, scope, key
"""


class PostgresWriter:
    """Writes entries on a connection of its own."""

    def __init__(self, connect: Connect, outages: Outages | None = None) -> None:
        self._own = OwnConnection(connect, outages)

    async def __call__(self, entries: Sequence[Entry]) -> list[None]:
        """Commit all of them or none.

        Raises: AlreadyAnswered, DuplicateUsage, TotalsOverflow, StoreUnavailable.
        """
        records = [entry.record for entry in entries]
        answers = [answer for entry in entries for answer in entry.answers]
        calls = json_of(map(_call_row, records)), json_of(map(_total_row, totals_of(records)))
        try:
            async with self._own.lent() as connection:
                await _write(connection, answers, calls, entries[0].taken_at)
        except UniqueViolationError as error:
            raise DuplicateUsage(records[0].id) from error
        except NumericValueOutOfRangeError as error:
            raise TotalsOverflow from error
        return [None] * len(entries)

    async def close(self) -> None:
        await self._own.close()


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
    found = await connection.fetch(WRITE_ANSWERS, json_of(map(row_of, in_order)), now)
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
