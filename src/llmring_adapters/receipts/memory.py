"""Receipts and keys in dictionaries."""

from collections.abc import Sequence
from datetime import datetime

from llmring_adapters.journal import Journal, JournaledDict
from llmring_core.ids import ProjectId
from llmring_core.receipts import (
    DuplicateReceipt,
    DuplicateStatement,
    KeyBook,
    KeyId,
    Numbers,
    PublicKey,
    ReceiptBook,
    ReceiptId,
    Span,
    StatementBook,
    StatementId,
    StoredReceipt,
    StoredStatement,
)


class MemoryReceiptBook(ReceiptBook):
    def __init__(self, journal: Journal) -> None:
        self._latest: JournaledDict[ProjectId, Numbers] = JournaledDict(journal)
        self._receipts: JournaledDict[tuple[ProjectId, ReceiptId], StoredReceipt] = JournaledDict(
            journal
        )

    async def take_numbers(self, project: ProjectId, count: int, now: datetime) -> Numbers:
        latest = self._latest.get(project, Numbers(1, now))
        taken = Numbers(latest.first, max(latest.at, now))
        self._latest[project] = Numbers(taken.first + count, taken.at)
        return taken

    async def add(self, project: ProjectId, receipts: Sequence[StoredReceipt]) -> None:
        for receipt in receipts:
            if (project, receipt.id) in self._receipts:
                raise DuplicateReceipt(f"receipt {receipt.id} is already stored")
            self._receipts[project, receipt.id] = receipt

    async def find(self, project: ProjectId, id: ReceiptId) -> StoredReceipt | None:
        return self._receipts.get((project, id))

    async def newest(
        self, project: ProjectId, limit: int, offset: int = 0
    ) -> tuple[list[StoredReceipt], int]:
        found = self._of(project)
        found.sort(key=lambda one: (one.stored_at, one.id), reverse=True)
        return found[offset : offset + limit], len(found)

    async def numbered(self, project: ProjectId, first: int, last: int) -> list[StoredReceipt]:
        found = [one for one in self._of(project) if first <= (one.seq or 0) <= last]
        return sorted(found, key=lambda one: one.seq or 0)

    async def last_before(self, project: ProjectId, end: datetime) -> int:
        return max([one.seq or 0 for one in self._of(project) if one.stored_at < end], default=0)

    async def own(
        self, project: ProjectId, after: ReceiptId | None, limit: int
    ) -> list[StoredReceipt]:
        found = [one for one in self._of(project) if after is None or one.id > after]
        return sorted(found, key=lambda one: one.id)[:limit]

    async def every(
        self, after: tuple[ProjectId, ReceiptId] | None, limit: int
    ) -> list[tuple[ProjectId, StoredReceipt]]:
        names = sorted(name for name in self._receipts if after is None or name > after)[:limit]
        return [(name[0], self._receipts[name]) for name in names]

    def _of(self, project: ProjectId) -> list[StoredReceipt]:
        return [one for (owner, _), one in self._receipts.items() if owner == project]


class MemoryStatementBook(StatementBook):
    def __init__(self, journal: Journal) -> None:
        self._statements: JournaledDict[tuple[ProjectId, str], StoredStatement] = JournaledDict(
            journal
        )

    async def add(self, project: ProjectId, statement: StoredStatement) -> None:
        if (project, statement.period) in self._statements:
            raise DuplicateStatement(f"there is a statement of {statement.period}")
        self._statements[project, statement.period] = statement

    async def find(self, project: ProjectId, id: StatementId) -> StoredStatement | None:
        return next((one for one in self._of(project) if one.id == id), None)

    async def last(self, project: ProjectId, span: Span) -> StoredStatement | None:
        found = [one for one in self._of(project) if one.span == span]
        return max(found, key=lambda one: one.period, default=None)

    async def of_period(self, project: ProjectId, period: str) -> StoredStatement | None:
        return self._statements.get((project, period))

    async def newest(
        self, project: ProjectId, limit: int, offset: int = 0
    ) -> tuple[list[StoredStatement], int]:
        found = self._of(project)
        found.sort(key=lambda one: (one.stored_at, one.id), reverse=True)
        return found[offset : offset + limit], len(found)

    def _of(self, project: ProjectId) -> list[StoredStatement]:
        return [one for (owner, _), one in self._statements.items() if owner == project]


class MemoryKeyBook(KeyBook):
    def __init__(self, journal: Journal) -> None:
        self._keys: JournaledDict[KeyId, PublicKey] = JournaledDict(journal)

    async def put(self, key: PublicKey) -> None:
        self._keys[key.id] = key

    async def all(self) -> list[PublicKey]:
        return sorted(self._keys.values(), key=lambda key: (key.not_before, key.id), reverse=True)
