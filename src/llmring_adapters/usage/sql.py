"""The usage ledger in SQL."""

from collections.abc import Sequence

from sqlalchemy import and_, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from llmring_adapters.usage.reading import read_totals
from llmring_adapters.usage.tables import record_of, row_of, usage_records
from llmring_adapters.usage.totals import add_to_totals
from llmring_core.ids import ProjectId, UsageId
from llmring_core.usage import (
    Day,
    DuplicateUsage,
    Position,
    Selection,
    Totals,
    UsageLedger,
    UsageRecord,
)


class SqlUsageLedger(UsageLedger):
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def append(self, records: Sequence[UsageRecord]) -> None:
        if not records:
            return
        try:
            await self._connection.execute(insert(usage_records), list(map(row_of, records)))
        except IntegrityError as error:
            if _is_taken(error):
                raise DuplicateUsage(records[0].id) from error
            raise
        await add_to_totals(self._connection, records)

    async def find(self, project: ProjectId, id: UsageId) -> UsageRecord | None:
        c = usage_records.c
        query = select(usage_records).where(c.id == id, c.project == project)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else record_of(row)

    async def newest(
        self,
        project: ProjectId,
        selection: Selection,
        limit: int,
        offset: int = 0,
        before: Position | None = None,
    ) -> list[UsageRecord]:
        c, period = usage_records.c, selection.period
        query = (
            select(usage_records)
            .where(c.project == project, c.at >= period.start, c.at < period.end)
            .order_by(c.at.desc(), c.id.desc())
            .limit(limit)
            .offset(offset)
        )
        for name in ("model", "alias", "origin"):
            value = getattr(selection, name)
            if value is not None:
                query = query.where(c[name] == value)
        if before is not None:
            later = and_(c.at == before.at, c.id < before.id)
            query = query.where(or_(c.at < before.at, later))
        return [record_of(row) for row in await self._connection.execute(query)]

    async def adjustments(self, project: ProjectId, ids: Sequence[UsageId]) -> list[UsageRecord]:
        c = usage_records.c
        # Saying that it is not null lets SQLite use the index, which holds no others.
        mine = and_(c.project == project, c.adjusts.is_not(None), c.adjusts.in_(ids))
        query = select(usage_records).where(mine).order_by(c.at, c.id)
        return [record_of(row) for row in await self._connection.execute(query)]

    async def totals(self, project: ProjectId, selection: Selection, days: Sequence[Day]) -> Totals:
        return await read_totals(self._connection, project, selection, days)


def _is_taken(error: IntegrityError) -> bool:
    """Tell a taken id from a broken CHECK: PostgreSQL's 23505, SQLite's words."""
    return getattr(error.orig, "sqlstate", None) == "23505" or "UNIQUE" in str(error.orig)
