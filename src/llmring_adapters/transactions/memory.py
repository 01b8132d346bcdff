"""A transaction over dictionaries: write at once, take it back if the block fails."""

from asyncio import Lock
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llmring_adapters.accounts.memory import MemoryAccountBook
from llmring_adapters.gateway.audit_memory import MemoryAuditBook
from llmring_adapters.gateway.memory import (
    MemoryBudgetBook,
    MemoryGatewayBook,
    MemoryTokenBook,
)
from llmring_adapters.gateway.memory_journal import MemoryAttemptBook
from llmring_adapters.idempotency.memory import MemoryAnswerBook
from llmring_adapters.journal import Journal, JournaledDict, undo
from llmring_adapters.receipts.certified_memory import MemoryCertifications
from llmring_adapters.receipts.memory import (
    MemoryKeyBook,
    MemoryReceiptBook,
    MemoryStatementBook,
)
from llmring_adapters.registry.memory import MemorySnapshotBook
from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.transparency.memory import MemoryLog
from llmring_adapters.usage.memory import MemoryUsageLedger
from llmring_core.accounts import Project
from llmring_core.ids import ProjectId
from llmring_core.transactions import Begin


class MemoryWork:
    """Every store; what they hold lives as long as this object."""

    def __init__(self, journal: Journal) -> None:
        projects = JournaledDict[ProjectId, Project](journal)
        self.accounts = MemoryAccountBook(projects, JournaledDict(journal))
        self.answers = MemoryAnswerBook(JournaledDict(journal))
        self.audit = MemoryAuditBook(journal)
        self.budgets = MemoryBudgetBook(journal)
        self.gateway = MemoryGatewayBook(journal, projects)
        self.keys = MemoryKeyBook(journal)
        self.log = self.sequence = MemoryLog(journal)
        self.receipts = MemoryReceiptBook(journal)
        self.snapshots = MemorySnapshotBook(JournaledDict(journal))
        self.statements = MemoryStatementBook(journal)
        self.tokens = MemoryTokenBook(journal, self.gateway, self.budgets)
        self.usage = MemoryUsageLedger(JournaledDict(journal), {}, journal)
        self.attempts = MemoryAttemptBook(journal, self.usage)
        self.certifications = MemoryCertifications(self.usage, JournaledDict(journal))


def memory_transactions() -> Begin[AllWork]:
    """Return transactions over an empty store of their own; they run one after the other."""
    journal: Journal = []
    work, lock = MemoryWork(journal), Lock()

    @asynccontextmanager
    async def begin() -> AsyncIterator[AllWork]:
        async with lock:
            try:
                yield work
            except BaseException:  # also a cancelled task: nothing of a failed block stays
                undo(journal)
                raise
            journal.clear()

    return begin
