"""Projects and API keys in SQL."""

from datetime import datetime

from msgspec import convert
from msgspec.structs import asdict
from sqlalchemy import Column, ForeignKey, Row, String, Table, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from llmring_adapters.schema import UtcDateTime, metadata
from llmring_core.accounts import (
    AccountBook,
    ApiKey,
    ApiKeyNotFound,
    DuplicateApiKey,
    DuplicateProject,
    Project,
)
from llmring_core.ids import ApiKeyId, ProjectId

projects = Table(
    "projects",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(36), ForeignKey("projects.id"), nullable=False, index=True),
    Column("digest", String(64), nullable=False, unique=True),  # SHA-256 of the key
    Column("shown", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
)


class SqlAccountBook(AccountBook):
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add_project(self, project: Project) -> None:
        try:
            await self._connection.execute(insert(projects).values(asdict(project)))
        except IntegrityError as error:
            raise DuplicateProject(project.name) from error

    async def project_named(self, name: str) -> Project | None:
        found = await self._connection.execute(select(projects).where(projects.c.name == name))
        row = found.one_or_none()
        return None if row is None else convert(row, Project, from_attributes=True)

    async def rename_project(self, id: ProjectId, name: str) -> None:
        renamed = update(projects).where(projects.c.id == id).values(name=name)
        try:
            await self._connection.execute(renamed)
        except IntegrityError as error:
            raise DuplicateProject(name) from error

    async def add_key(self, key: ApiKey) -> None:
        try:
            await self._connection.execute(insert(api_keys).values(asdict(key)))
        except IntegrityError as error:
            raise DuplicateApiKey from error

    async def key_with(self, digest: str) -> ApiKey | None:
        found = await self._connection.execute(select(api_keys).where(api_keys.c.digest == digest))
        row = found.one_or_none()
        return None if row is None else _key(row)

    async def keys(self) -> list[tuple[Project, ApiKey]]:
        by_project = {
            row.id: convert(row, Project, from_attributes=True)
            for row in await self._connection.execute(select(projects))
        }
        order = (api_keys.c.created_at, api_keys.c.id)
        rows = await self._connection.execute(select(api_keys).order_by(*order))
        return [(by_project[row.project], _key(row)) for row in rows]

    async def revoke(self, id: ApiKeyId, at: datetime) -> ApiKey:
        mine = api_keys.c.id == id
        still_open = mine & api_keys.c.revoked_at.is_(None)
        await self._connection.execute(update(api_keys).where(still_open).values(revoked_at=at))
        found = await self._connection.execute(select(api_keys).where(mine))
        row = found.one_or_none()
        if row is None:
            raise ApiKeyNotFound(id)
        return _key(row)


def _key(row: Row[tuple[object, ...]]) -> ApiKey:
    return convert(row, ApiKey, from_attributes=True)
