"""Which receipt certifies which calls, in a dictionary."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from sys import maxsize

from llmring_adapters.journal import JournaledDict
from llmring_core.ids import ProjectId, UsageId
from llmring_core.receipts import (
    AlreadyCertified,
    Certifications,
    LogSelector,
    MeteredWithin,
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

    async def add(
        self, project: ProjectId, certified: Mapping[ReceiptId, Sequence[UsageId]]
    ) -> None:
        for receipt, logs in certified.items():
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
        period = selector.period if isinstance(selector, Within | MeteredWithin) else ALWAYS
        return [
            call
            for call in await self._calls(project, period)
            if (project, call.id) not in self._receipts and _is_meant(call, selector)
        ]

    async def _calls(self, project: ProjectId, period: Period) -> list[UsageRecord]:
        """Return all calls of ``period``, oldest first."""
        found = await self._usage.newest(project, Selection(period=period), maxsize)
        return [record for record in reversed(found) if record.kind != "adjustment"]


def _is_meant(call: UsageRecord, selector: LogSelector) -> bool:
    """Return whether a call of the right time is selected."""
    if isinstance(selector, Named):
        return call.id in selector.log_ids
    if isinstance(selector, MeteredWithin):
        is_metered = call.kind == "call" and call.usage_source != "client"
        return is_metered and call.cost_usd is not None
    return True
