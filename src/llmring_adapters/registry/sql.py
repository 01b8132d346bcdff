"""The snapshot book in SQL. The document is text: its bytes are what the digest covers."""

from collections.abc import Sequence
from typing import Any

from msgspec import ValidationError, convert, to_builtins
from msgspec.structs import asdict
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Integer,
    Row,
    String,
    Table,
    Text,
    cast,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from llmring_adapters.schema import UtcDateTime, metadata
from llmring_core.registry import (
    CorruptSnapshot,
    Publication,
    Snapshot,
    SnapshotBook,
    SnapshotTaken,
    VersionNotFound,
    digest_of,
)

registry_snapshots = Table(
    "registry_snapshots",
    metadata,
    Column("version", String(16), primary_key=True),  # YYYY.MM.DD[.n]
    # Unique, so that of two processes publishing at once one finds out.
    Column("sequence", Integer, nullable=False, unique=True, autoincrement=False),
    Column("digest", String(64), nullable=False),
    Column("published_at", UtcDateTime, nullable=False),
    Column("origin", String(16), nullable=False),
    Column("sources", JSON, nullable=False),  # the edition of each provider's file
    Column("document", Text, nullable=False),  # RFC 8785
)


class SqlSnapshotBook(SnapshotBook):
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def append(self, snapshot: Snapshot) -> None:
        try:
            await self._connection.execute(insert(registry_snapshots).values(_row(snapshot)))
        except IntegrityError as error:
            raise SnapshotTaken(snapshot.version) from error

    async def latest(self) -> Snapshot | None:
        newest = registry_snapshots.c.sequence.desc()
        query = select(registry_snapshots).order_by(newest).limit(1)
        row = (await self._connection.execute(query)).first()
        return None if row is None else _snapshot(row)

    async def get(self, version: str) -> Snapshot:
        query = select(registry_snapshots).where(registry_snapshots.c.version == version)
        row = (await self._connection.execute(query)).first()
        if row is None:
            raise VersionNotFound
        return _snapshot(row)

    async def publications(self) -> Sequence[Publication]:
        columns = registry_snapshots.c.version, registry_snapshots.c.published_at
        query = select(*columns).order_by(registry_snapshots.c.sequence)
        rows = await self._connection.execute(query)
        return [convert(row, Publication, from_attributes=True) for row in rows]

    async def holding(self, provider: str, number: int) -> str:
        stated = registry_snapshots.c.sources[(provider, "version")].as_string()
        query = select(registry_snapshots.c.version).where(cast(stated, BigInteger) == number)
        newest = query.order_by(registry_snapshots.c.sequence.desc()).limit(1)
        version = (await self._connection.execute(newest)).scalar()
        if version is None:
            raise VersionNotFound
        return str(version)


def _snapshot(row: Row[Any]) -> Snapshot:
    """Return what was stored. Raises CorruptSnapshot when it is something else now."""
    try:
        snapshot = convert(row, Snapshot, from_attributes=True)
    except ValidationError as error:
        raise CorruptSnapshot(row.version, row.sequence) from error
    if digest_of(snapshot.document) != snapshot.digest:
        raise CorruptSnapshot(snapshot.version, snapshot.sequence)
    return snapshot


def _row(snapshot: Snapshot) -> dict[str, object]:
    return asdict(snapshot) | {"sources": to_builtins(snapshot.sources)}
