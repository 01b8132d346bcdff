"""First answers in SQL. The primary key is the lock."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Column, ColumnElement, String, Table, Text, and_, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from llmring_adapters.schema import UtcDateTime, metadata
from llmring_core.idempotency import AlreadyAnswered, Answer, AnswerBook, Attempt
from llmring_core.ids import ProjectId

first_answers = Table(
    "answers",
    metadata,
    Column("project", String(36), primary_key=True),
    Column("scope", String(64), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("body", Text, nullable=False),  # JSON
    Column("expires_at", UtcDateTime, index=True),
)


class SqlAnswerBook(AnswerBook):
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, answers: Sequence[Answer], now: datetime) -> None:
        if not answers:
            return
        rows = [row_of(answer) for answer in sorted(answers, key=lambda answer: answer.name)]
        dialect = sqlite if self._connection.dialect.name == "sqlite" else postgresql
        first = kept_first(dialect.insert(first_answers).values(rows), now)
        kept = {tuple(row) for row in await self._connection.execute(first)}
        if len(kept) < len(rows):
            raise AlreadyAnswered([answer.name for answer in answers if answer.name not in kept])

    async def find(self, project: ProjectId, attempt: Attempt, now: datetime) -> Answer | None:
        c = first_answers.c
        in_force = or_(c.expires_at.is_(None), c.expires_at > now)
        query = select(first_answers).where(_named(project, attempt), in_force)
        row = (await self._connection.execute(query)).one_or_none()
        if row is None:
            return None
        first = Attempt(scope=row.scope, key=row.key, fingerprint=row.fingerprint)
        return Answer(project=project, attempt=first, body=row.body, expires_at=row.expires_at)


def kept_first(
    insert: sqlite.Insert | postgresql.Insert, now: datetime | BindParameter[datetime]
) -> ReturningInsert[Any]:
    """Return ``insert`` so that it replaces what has expired, and returns the names it kept.

    What is in force is neither changed nor returned. A row that another transaction is adding is
    waited for.
    """
    c = first_answers.c
    return insert.on_conflict_do_update(
        index_elements=first_answers.primary_key,
        set_={name: insert.excluded[name] for name in ("fingerprint", "body", "expires_at")},
        where=c.expires_at <= now,
    ).returning(c.project, c.scope, c.key)


def row_of(answer: Answer) -> dict[str, object]:
    return {
        "project": answer.project,
        "scope": answer.attempt.scope,
        "key": answer.attempt.key,
        "fingerprint": answer.attempt.fingerprint,
        "body": answer.body,
        "expires_at": answer.expires_at,
    }


def _named(project: ProjectId, attempt: Attempt) -> ColumnElement[bool]:
    c = first_answers.c
    return and_(c.project == project, c.scope == attempt.scope, c.key == attempt.key)
