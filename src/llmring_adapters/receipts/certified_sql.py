"""Which receipt certifies which calls, in SQL."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Index,
    Integer,
    Select,
    String,
    Table,
    and_,
    exists,
    false,
    func,
    insert,
    select,
    true,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from llmring_adapters.schema import metadata
from llmring_adapters.usage.tables import record_of, usage_records
from llmring_core.ids import ProjectId, UsageId
from llmring_core.receipts import (
    AlreadyCertified,
    Certifications,
    LogSelector,
    MeteredWithin,
    Named,
    OfConversation,
    ReceiptId,
    Within,
)
from llmring_core.usage import Period, UsageRecord

CERTIFYING = 0x6C6C6D72  # "llmr": the first half of PostgreSQL's advisory locks, a project's second

receipt_logs = Table(
    "receipt_logs",
    metadata,
    Column("project", String(36), primary_key=True),
    Column("usage_id", String(36), primary_key=True),  # so a call is certified once
    Column("receipt_id", String(255), nullable=False),
    Column("position", Integer, nullable=False),  # 0, 1, 2, ... within the receipt
    Index("uq_receipt_logs_position", "project", "receipt_id", "position", unique=True),
)


class SqlCertifications(Certifications):
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self, project: ProjectId) -> None:
        if self._connection.dialect.name == "postgresql":  # SQLite has one writer anyway
            lock = func.pg_advisory_xact_lock(CERTIFYING, func.hashtext(project))
            await self._connection.execute(select(lock))

    async def uncertified(
        self, project: ProjectId, selector: LogSelector, limit: int, offset: int = 0
    ) -> list[UsageRecord]:
        c = usage_records.c
        query = select(usage_records).where(_uncertified(project, selector))
        query = query.order_by(c.at, c.id).limit(limit).offset(offset)
        return await self._records(query)

    async def count(self, project: ProjectId, selector: LogSelector) -> int:
        query = select(func.count()).select_from(usage_records)
        return await self._number(query.where(_uncertified(project, selector)))

    async def add(
        self, project: ProjectId, certified: Mapping[ReceiptId, Sequence[UsageId]]
    ) -> None:
        rows = [
            {"project": project, "usage_id": log, "receipt_id": receipt, "position": position}
            for receipt, logs in certified.items()
            for position, log in enumerate(logs)
        ]
        try:
            await self._connection.execute(insert(receipt_logs), rows)
        except IntegrityError as error:
            raise AlreadyCertified("one of these logs has a receipt already") from error

    async def of(
        self, project: ProjectId, receipt: ReceiptId, limit: int, offset: int = 0
    ) -> tuple[list[UsageRecord], int]:
        c = receipt_logs.c
        mine = and_(c.project == project, c.receipt_id == receipt)
        query = (
            select(usage_records)
            .join(receipt_logs, c.usage_id == usage_records.c.id)
            .where(mine, usage_records.c.project == project)
            .order_by(c.position)
            .limit(limit)
            .offset(offset)
        )
        count = await self._number(select(func.count()).select_from(receipt_logs).where(mine))
        return await self._records(query), count

    async def _records(self, query: Select[Any]) -> list[UsageRecord]:
        return [record_of(row) for row in await self._connection.execute(query)]

    async def _number(self, query: Select[int]) -> int:
        return int((await self._connection.execute(query)).scalar_one())


def _uncertified(project: ProjectId, selector: LogSelector) -> ColumnElement[bool]:
    c, logs = usage_records.c, receipt_logs.c
    certified = exists().where(logs.project == project, logs.usage_id == c.id)
    mine = c.project == project
    if isinstance(selector, Named):
        mine = c.project.concat("") == project  # else SQLite may read all of the project's calls
    return and_(mine, c.kind != "adjustment", _selected(selector), ~certified)


def _selected(selector: LogSelector) -> ColumnElement[bool]:
    c = usage_records.c
    if isinstance(selector, OfConversation):
        return false()  # there are no conversations yet
    if isinstance(selector, Within):
        return _within(selector.period)
    if isinstance(selector, MeteredWithin):
        is_metered = and_(c.kind == "call", c.usage_source != "client")
        return and_(_within(selector.period), is_metered, c.cost_usd.is_not(None))
    if isinstance(selector, Named):
        return c.id.in_(selector.log_ids)
    return true()


def _within(period: Period) -> ColumnElement[bool]:
    return and_(usage_records.c.at >= period.start, usage_records.c.at < period.end)
