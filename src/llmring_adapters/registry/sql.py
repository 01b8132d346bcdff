"""The snapshot book in SQL. The document is text: its bytes are what the digest covers."""

from msgspec import convert, to_builtins
from msgspec.structs import asdict
from sqlalchemy import JSON, Column, Integer, String, Table, Text, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from llmring_adapters.schema import UtcDateTime, metadata
from llmring_core.registry import Snapshot, SnapshotBook, SnapshotTaken, VersionNotFound

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
        return None if row is None else convert(row, Snapshot, from_attributes=True)

    async def get(self, version: str) -> Snapshot:
        query = select(registry_snapshots).where(registry_snapshots.c.version == version)
        row = (await self._connection.execute(query)).first()
        if row is None:
            raise VersionNotFound
        return convert(row, Snapshot, from_attributes=True)


def _row(snapshot: Snapshot) -> dict[str, object]:
    return asdict(snapshot) | {"sources": to_builtins(snapshot.sources)}
