"""Which receipt certifies which calls, in a dictionary."""

from collections.abc import Sequence
from datetime import UTC, datetime
from sys import maxsize

from llmring_adapters.journal import JournaledDict
from llmring_core.ids import ProjectId, UsageId
from llmring_core.receipts import (
    AlreadyCertified,
    Certifications,
    LogSelector,
    Named,
    OfConversation,
    ReceiptId,
    Within,
)
from llmring_core.usage import Period, Selection, UsageLedger, UsageRecord

ALWAYS = Period(start=datetime.min.replace(tzinfo=UTC), end=datetime.max.replace(tzinfo=UTC))


class MemoryCertifications(Certifications):
    def __init__(
        self, usage: UsageLedger, receipts: JournaledDict[tuple[ProjectId, UsageId], ReceiptId]
    ) -> None:
        self._usage = usage
        self._receipts = receipts

    async def lock(self, project: ProjectId) -> None:
        """Transactions over dictionaries run one after the other."""

    async def uncertified(
        self, project: ProjectId, selector: LogSelector, limit: int, offset: int = 0
    ) -> list[UsageRecord]:
        return (await self._every(project, selector))[offset : offset + limit]

    async def count(self, project: ProjectId, selector: LogSelector) -> int:
        return len(await self._every(project, selector))

    async def add(self, project: ProjectId, receipt: ReceiptId, logs: Sequence[UsageId]) -> None:
        for log in logs:
            if (project, log) in self._receipts:
                raise AlreadyCertified(f"log {log} has a receipt already")
            self._receipts[project, log] = receipt

    async def of(
        self, project: ProjectId, receipt: ReceiptId, limit: int, offset: int = 0
    ) -> tuple[list[UsageRecord], int]:
        ids = [
            log
            for (owner, log), found in self._receipts.items()
            if (owner, found) == (project, receipt)
        ]
        records = {record.id: record for record in await self._calls(project, ALWAYS)}
        return [records[id] for id in ids[offset : offset + limit]], len(ids)

    async def _every(self, project: ProjectId, selector: LogSelector) -> list[UsageRecord]:
        if isinstance(selector, OfConversation):
            return []
        period = selector.period if isinstance(selector, Within) else ALWAYS
        named = set(selector.log_ids) if isinstance(selector, Named) else None
        return [
            call
            for call in await self._calls(project, period)
            if (project, call.id) not in self._receipts and (named is None or call.id in named)
        ]

    async def _calls(self, project: ProjectId, period: Period) -> list[UsageRecord]:
        """Return all calls of ``period``, oldest first."""
        found = await self._usage.newest(project, Selection(period=period), maxsize)
        return [record for record in reversed(found) if record.kind != "adjustment"]
