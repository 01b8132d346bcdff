"""Attempts that are written down, in SQL.

Locks are taken in one order everywhere: attempts, then the ledger's, then holds, then budgets.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import convert
from msgspec.structs import asdict
from sqlalchemy import delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from llmring_adapters.gateway.tables import gateway_attempts
from llmring_adapters.usage.tables import usage_records
from llmring_core.gateway.journal import AttemptBook, StartedAttempt
from llmring_core.ids import UsageId


class SqlAttemptBook(AttemptBook):
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, attempts: Sequence[StartedAttempt], lapses_at: datetime) -> None:
        rows = [asdict(attempt) | {"lapses_at": lapses_at} for attempt in attempts]
        if rows:
            await self._connection.execute(insert(gateway_attempts), rows)

    async def remove(self, attempts: Sequence[UsageId]) -> None:
        if attempts:
            mine = gateway_attempts.c.id.in_(attempts)
            await self._connection.execute(delete(gateway_attempts).where(mine))

    async def renew(self, attempts: Sequence[UsageId], lapses_at: datetime) -> set[UsageId]:
        c = gateway_attempts.c
        is_recorded = exists().where(usage_records.c.id == c.id)
        renewed = update(gateway_attempts).where(c.id.in_(attempts), ~is_recorded)
        renewed = renewed.values(lapses_at=lapses_at)
        return set(await self._connection.scalars(renewed.returning(c.id)))

    async def take_lapsed(self, at: datetime) -> StartedAttempt | None:
        c = gateway_attempts.c
        due = select(gateway_attempts).where(c.lapses_at <= at).order_by(c.lapses_at, c.id).limit(1)
        found = await self._connection.execute(due.with_for_update(skip_locked=True))
        row = found.one_or_none()
        if row is None:
            return None
        await self._connection.execute(delete(gateway_attempts).where(c.id == row.id))
        return convert(row, StartedAttempt, from_attributes=True)
