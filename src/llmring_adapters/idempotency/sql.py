"""First answers in SQL. The primary key is the lock."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Column, ColumnElement, String, Table, Text, and_, delete, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from llmring_adapters.schema import UtcDateTime, metadata
from llmring_core.idempotency import AlreadyAnswered, Answer, AnswerBook, Attempt
from llmring_core.ids import ProjectId

answers = Table(
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

    async def add(self, project: ProjectId, answers: Sequence[Answer], now: datetime) -> None:
        for answer in answers:
            await self._add(project, answer, now)

    async def find(self, project: ProjectId, attempt: Attempt, now: datetime) -> Answer | None:
        in_force = or_(answers.c.expires_at.is_(None), answers.c.expires_at > now)
        query = select(answers).where(_named(project, attempt), in_force)
        row = (await self._connection.execute(query)).one_or_none()
        if row is None:
            return None
        first = Attempt(scope=row.scope, key=row.key, fingerprint=row.fingerprint)
        return Answer(attempt=first, body=row.body, expires_at=row.expires_at)

    async def _add(self, project: ProjectId, answer: Answer, now: datetime) -> None:
        attempt = answer.attempt
        expired = answers.c.expires_at <= now
        await self._connection.execute(delete(answers).where(_named(project, attempt), expired))
        row = {
            "project": project,
            "scope": attempt.scope,
            "key": attempt.key,
            "fingerprint": attempt.fingerprint,
            "body": answer.body,
            "expires_at": answer.expires_at,
        }
        try:
            await self._connection.execute(insert(answers).values(row))
        except IntegrityError as error:
            raise AlreadyAnswered(attempt) from error


def _named(project: ProjectId, attempt: Attempt) -> ColumnElement[bool]:
    c = answers.c
    return and_(c.project == project, c.scope == attempt.scope, c.key == attempt.key)
