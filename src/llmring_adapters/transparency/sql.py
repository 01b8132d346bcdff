"""The log in SQL. Entries, full tiles and checkpoints are only ever added."""

from collections.abc import Collection, Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from llmring_adapters.schema import BigId, metadata
from llmring_core.transparency import Leaf, LogBook, LogSequence, Published, Tile, TileName

ONE_SEQUENCER = 0x6C6C6D72_6C6F67  # "llmr log": an advisory lock of PostgreSQL

log_pending = Table(
    "log_pending",
    metadata,
    Column("number", BigId, primary_key=True),  # as they came
    Column("id", String(36), nullable=False),
    Column("kind", String(24), nullable=False),
    Column("commitment", LargeBinary(32), nullable=False),
)
log_entries = Table(
    "log_entries",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("id", String(36), nullable=False, unique=True),
    Column("kind", String(24), nullable=False),
    Column("commitment", LargeBinary(32), nullable=False),
)
log_tiles = Table(
    "log_tiles",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary(8192), nullable=False),  # 32 bytes each
)
log_checkpoints = Table(
    "log_checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
)

# Built once: to build them takes about as long as to run them.
NEWEST = (
    select(log_checkpoints.c.size, log_checkpoints.c.note)
    .order_by(log_checkpoints.c.size.desc())
    .limit(1)
)
PLACE = select(log_entries.c.position).where(log_entries.c.id == bindparam("leaf"))
PLACED = NEWEST.add_columns(PLACE.scalar_subquery().label("place"))
TILES = select(log_tiles.c.level, log_tiles.c.number, log_tiles.c.hashes).where(
    tuple_(log_tiles.c.level, log_tiles.c.number).in_(bindparam("names", expanding=True))
)


class SqlLog(LogBook, LogSequence):
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, leaves: Sequence[Leaf]) -> None:
        if leaves:
            await self._connection.execute(insert(log_pending), [_row(leaf) for leaf in leaves])

    async def newest(self) -> Published | None:
        row = (await self._connection.execute(NEWEST)).one_or_none()
        return None if row is None else Published(size=row.size, note=row.note)

    async def tiles(self, names: Collection[TileName]) -> dict[TileName, Tile]:
        if not names:
            return {}
        found = [
            Tile(name=TileName(level, number), hashes=hashes)
            for level, number, hashes in await self._connection.execute(
                TILES, {"names": [tuple(name) for name in names]}
            )
        ]
        return {tile.name: tile for tile in found}

    async def placed(self, leaf: str) -> tuple[Published | None, int | None]:
        row = (await self._connection.execute(PLACED, {"leaf": leaf})).one_or_none()
        if row is None:  # without a checkpoint nothing has a place
            return None, None
        return Published(size=row.size, note=row.note), row.place

    async def find(self, leaves: Collection[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for table in (log_pending, log_entries):
            query = select(table.c.id, table.c.commitment).where(table.c.id.in_(leaves))
            found |= {row.id: row.commitment for row in await self._connection.execute(query)}
        return found

    async def commitments(self, first: int, count: int) -> list[bytes]:
        c = log_entries.c
        query = (
            select(c.commitment)
            .where(c.position >= first, c.position < first + count)
            .order_by(c.position)
        )
        return list((await self._connection.execute(query)).scalars())

    async def claim(self) -> bool:
        if self._connection.dialect.name == "sqlite":
            return True  # a transaction that may write is the only one
        lock = select(func.pg_try_advisory_xact_lock(ONE_SEQUENCER))
        return bool((await self._connection.execute(lock)).scalar_one())

    async def waiting(self, limit: int) -> list[Leaf]:
        c = log_pending.c
        query = select(c.id, c.kind, c.commitment).order_by(c.number).limit(limit)
        return [
            Leaf(id=id, kind=kind, commitment=commitment)
            for id, kind, commitment in await self._connection.execute(query)
        ]

    async def place(self, leaves: Sequence[Leaf], first: int) -> None:
        if not leaves:
            return
        rows = [_row(leaf) | {"position": place} for place, leaf in enumerate(leaves, first)]
        await self._connection.execute(insert(log_entries), rows)
        placed = select(log_entries.c.id).where(log_entries.c.position >= first)
        await self._connection.execute(delete(log_pending).where(log_pending.c.id.in_(placed)))

    async def put_tiles(self, tiles: Sequence[Tile]) -> None:
        if not tiles:
            return
        dialect = sqlite if self._connection.dialect.name == "sqlite" else postgresql
        put = dialect.insert(log_tiles)
        wider = put.on_conflict_do_update(
            index_elements=log_tiles.primary_key, set_={"hashes": put.excluded.hashes}
        )
        rows = [
            {"level": tile.name.level, "number": tile.name.number, "hashes": tile.hashes}
            for tile in tiles
        ]
        await self._connection.execute(wider, rows)

    async def publish(self, checkpoint: Published) -> None:
        dialect = sqlite if self._connection.dialect.name == "sqlite" else postgresql
        put = dialect.insert(log_checkpoints).values(size=checkpoint.size, note=checkpoint.note)
        await self._connection.execute(
            put.on_conflict_do_update(
                index_elements=log_checkpoints.primary_key, set_={"note": put.excluded.note}
            )
        )


def _row(leaf: Leaf) -> dict[str, object]:
    return {"id": leaf.id, "kind": leaf.kind, "commitment": leaf.commitment}
