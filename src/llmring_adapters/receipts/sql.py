"""Receipts and keys in SQL. What was signed is kept as text, byte by byte."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import asdict
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    bindparam,
    case,
    func,
    insert,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from llmring_adapters.schema import UtcDateTime, metadata
from llmring_core.ids import ProjectId
from llmring_core.receipts import (
    DuplicateReceipt,
    KeyBook,
    Numbers,
    PublicKey,
    ReceiptBook,
    ReceiptId,
    StoredReceipt,
)

stored_receipts = Table(
    "receipts",
    metadata,
    Column("project", String(36), primary_key=True),
    Column("id", String(255), primary_key=True),
    Column("shape", String(8), nullable=False),
    Column("seq", BigInteger),
    Column("body", Text, nullable=False),  # RFC 8785: what is signed
    Column("signature", String(94), nullable=False),
    Column("loose", Text),  # JSON object
    Column("stored_at", UtcDateTime, nullable=False),
    Column("leaf", String(36), nullable=False),
    Column("salt", LargeBinary(32), nullable=False),
    Index("ix_receipts_project_stored_at", "project", "stored_at", "id"),
    Index("uq_receipts_project_seq", "project", "seq", unique=True),
)
receipt_numbers = Table(
    "receipt_numbers",
    metadata,
    Column("project", String(36), primary_key=True),
    Column("last", BigInteger, nullable=False),
    Column("at", UtcDateTime, nullable=False),  # when that one was issued; no later one is earlier
)
receipt_keys = Table(
    "receipt_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("raw", LargeBinary(32), nullable=False),  # the public half; no other is ever here
    Column("not_before", UtcDateTime, nullable=False),
    Column("retired_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
)
STORED = StoredReceipt.__struct_fields__
FIND = select(*(stored_receipts.c[name] for name in STORED)).where(
    stored_receipts.c.project == bindparam("in_project"), stored_receipts.c.id == bindparam("named")
)  # built once: to build it takes about as long as to run it
KEY = PublicKey.__struct_fields__


class SqlReceiptBook(ReceiptBook):
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def take_numbers(self, project: ProjectId, count: int, now: datetime) -> Numbers:
        dialect = sqlite if self._connection.dialect.name == "sqlite" else postgresql
        c = receipt_numbers.c
        put = dialect.insert(receipt_numbers).values(project=project, last=count, at=now)
        later = case((c.at > put.excluded.at, c.at), else_=put.excluded.at)
        taken = put.on_conflict_do_update(
            index_elements=receipt_numbers.primary_key, set_={"last": c.last + count, "at": later}
        ).returning(c.last, c.at)
        last, at = (await self._connection.execute(taken)).one()
        return Numbers(last - count + 1, at)

    async def add(self, project: ProjectId, receipts: Sequence[StoredReceipt]) -> None:
        rows = [{"project": project} | asdict(receipt) for receipt in receipts]
        try:
            await self._connection.execute(insert(stored_receipts), rows)
        except IntegrityError as error:
            ids = ", ".join(receipt.id for receipt in receipts)
            raise DuplicateReceipt(f"receipt {ids} is already stored") from error

    async def find(self, project: ProjectId, id: ReceiptId) -> StoredReceipt | None:
        named = {"in_project": project, "named": id}
        row = (await self._connection.execute(FIND, named)).one_or_none()
        return None if row is None else StoredReceipt(**row._asdict())

    async def newest(
        self, project: ProjectId, limit: int, offset: int = 0
    ) -> tuple[list[StoredReceipt], int]:
        c = stored_receipts.c
        query = (
            select(*(c[name] for name in STORED))
            .where(c.project == project)
            .order_by(c.stored_at.desc(), c.id.desc())
            .limit(limit)
            .offset(offset)
        )
        count = select(func.count()).where(c.project == project)
        rows = [StoredReceipt(**row._asdict()) for row in await self._connection.execute(query)]
        return rows, int((await self._connection.execute(count)).scalar_one())

    async def numbered(self, project: ProjectId, first: int, last: int) -> list[StoredReceipt]:
        c = stored_receipts.c
        query = (
            select(*(c[name] for name in STORED))
            .where(c.project == project, c.seq.between(first, last))
            .order_by(c.seq)
        )
        return [StoredReceipt(**row._asdict()) for row in await self._connection.execute(query)]

    async def last_before(self, project: ProjectId, end: datetime) -> int:
        c = stored_receipts.c
        query = (
            select(c.seq)
            .where(c.project == project, c.stored_at < end, c.seq.is_not(None))
            .order_by(c.stored_at.desc(), c.seq.desc())
            .limit(1)
        )
        return (await self._connection.execute(query)).scalar_one_or_none() or 0

    async def own(
        self, project: ProjectId, after: ReceiptId | None, limit: int
    ) -> list[StoredReceipt]:
        c = stored_receipts.c
        query = select(*(c[name] for name in STORED)).where(c.project == project).order_by(c.id)
        if after is not None:
            query = query.where(c.id > after)
        rows = await self._connection.execute(query.limit(limit))
        return [StoredReceipt(**row._asdict()) for row in rows]

    async def every(
        self, after: tuple[ProjectId, ReceiptId] | None, limit: int
    ) -> list[tuple[ProjectId, StoredReceipt]]:
        c = stored_receipts.c
        query = select(c.project, *(c[name] for name in STORED)).order_by(c.project, c.id)
        if after is not None:
            query = query.where(tuple_(c.project, c.id) > after)
        found = []
        for row in await self._connection.execute(query.limit(limit)):
            values = row._asdict()
            found.append((ProjectId(values.pop("project")), StoredReceipt(**values)))
        return found


class SqlKeyBook(KeyBook):
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, key: PublicKey) -> None:
        dialect = sqlite if self._connection.dialect.name == "sqlite" else postgresql
        put = dialect.insert(receipt_keys).values(asdict(key))
        dates = {name: put.excluded[name] for name in ("not_before", "retired_at", "revoked_at")}
        await self._connection.execute(
            put.on_conflict_do_update(index_elements=receipt_keys.primary_key, set_=dates)
        )

    async def all(self) -> list[PublicKey]:
        c = receipt_keys.c
        query = select(*(c[name] for name in KEY)).order_by(c.not_before.desc(), c.id.desc())
        rows = await self._connection.execute(query)
        return [PublicKey(**row._asdict()) for row in rows]
