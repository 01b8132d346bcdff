"""Statements in SQL. What was signed is kept as text, byte by byte."""

from msgspec.structs import asdict
from sqlalchemy import Column, Index, LargeBinary, Select, String, Table, Text, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from llmring_adapters.schema import UtcDateTime, metadata
from llmring_core.ids import ProjectId
from llmring_core.receipts import (
    DuplicateStatement,
    Span,
    StatementBook,
    StatementId,
    StoredStatement,
)

stored_statements = Table(
    "receipt_statements",
    metadata,
    Column("project", String(36), primary_key=True),
    Column("period", String(10), primary_key=True),
    Column("id", String(64), nullable=False),
    Column("span", String(5), nullable=False),
    Column("body", Text, nullable=False),  # RFC 8785: what is signed
    Column("signature", String(94), nullable=False),
    Column("stored_at", UtcDateTime, nullable=False),
    Column("leaf", String(36), nullable=False),
    Column("salt", LargeBinary(32), nullable=False),
    Index("uq_receipt_statements_project_id", "project", "id", unique=True),
)
c = stored_statements.c
STORED = [c[name] for name in StoredStatement.__struct_fields__]


class SqlStatementBook(StatementBook):
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, project: ProjectId, statement: StoredStatement) -> None:
        row = {"project": project} | asdict(statement)
        try:
            await self._connection.execute(insert(stored_statements), row)
        except IntegrityError as error:
            raise DuplicateStatement(f"there is a statement of {statement.period}") from error

    async def find(self, project: ProjectId, id: StatementId) -> StoredStatement | None:
        return await self._one(select(*STORED).where(c.project == project, c.id == id))

    async def last(self, project: ProjectId, span: Span) -> StoredStatement | None:
        own = select(*STORED).where(c.project == project, c.span == span)
        return await self._one(own.order_by(c.period.desc()).limit(1))

    async def of_period(self, project: ProjectId, period: str) -> StoredStatement | None:
        return await self._one(select(*STORED).where(c.project == project, c.period == period))

    async def newest(
        self, project: ProjectId, limit: int, offset: int = 0
    ) -> tuple[list[StoredStatement], int]:
        own = select(*STORED).where(c.project == project)
        query = own.order_by(c.stored_at.desc(), c.id.desc()).limit(limit).offset(offset)
        count = select(func.count()).where(c.project == project)
        rows = [StoredStatement(**row._asdict()) for row in await self._connection.execute(query)]
        return rows, int((await self._connection.execute(count)).scalar_one())

    async def _one(self, query: Select[tuple[object, ...]]) -> StoredStatement | None:
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else StoredStatement(**row._asdict())
