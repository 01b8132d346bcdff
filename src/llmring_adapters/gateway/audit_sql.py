"""The audit log in SQL."""

from collections.abc import Iterator
from typing import Any, Final

from msgspec import convert
from msgspec.structs import asdict
from sqlalchemy import ColumnElement, collate, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from llmring_adapters.gateway.tables import gateway_audit_events
from llmring_core.gateway.auditing import (
    EXACT,
    SEARCHED,
    AuditBook,
    AuditEvent,
    AuditPage,
    AuditSelection,
    PageNumber,
    folded,
)
from llmring_core.ids import AuditEventId

# The collation in which only A to Z have lower cases, where lower() asks for one.
PLAIN: Final = {"sqlite": "BINARY", "postgresql": "C"}


class SqlAuditBook(AuditBook):
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def append(self, event: AuditEvent) -> None:
        await self._connection.execute(insert(gateway_audit_events).values(asdict(event)))

    async def find(self, id: AuditEventId) -> AuditEvent | None:
        query = select(gateway_audit_events).where(gateway_audit_events.c.id == id)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else _event(row)

    async def page(self, wanted: AuditSelection, number: PageNumber) -> AuditPage:
        c = gateway_audit_events.c
        meant = list(_conditions(wanted, PLAIN[self._connection.dialect.name]))
        newest = (
            select(gateway_audit_events).where(*meant).order_by(c.happened_at.desc(), c.id.desc())
        )
        rows = await self._connection.execute(
            newest.limit(number.size).offset((number.page - 1) * number.size)
        )
        events = tuple(_event(row) for row in rows)
        total = await self._connection.scalar(
            select(func.count()).select_from(gateway_audit_events).where(*meant)
        )
        return AuditPage(events=events, total=total or 0)


def _conditions(wanted: AuditSelection, plain: str) -> Iterator[ColumnElement[bool]]:
    c = gateway_audit_events.c
    for name in EXACT:
        value = getattr(wanted, name)
        if value is not None:
            yield c[name] == value
    if wanted.since is not None:
        yield c.happened_at >= wanted.since
    if wanted.until is not None:
        yield c.happened_at < wanted.until
    if wanted.search:
        text = folded(wanted.search)
        searched = (func.lower(collate(c[name], plain)) for name in SEARCHED)
        yield or_(*(column.contains(text, autoescape=True) for column in searched))


def _event(row: Any) -> AuditEvent:
    return convert(row, AuditEvent, from_attributes=True)
