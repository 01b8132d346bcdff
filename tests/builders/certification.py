"""Logged calls, and what is needed to certify them."""

from datetime import timedelta
from itertools import count
from typing import Any

from llmring_adapters.group_commit import GroupCommit
from llmring_adapters.transactions.all_work import AllWork
from llmring_core.gateway.certifying import CertifyCalls
from llmring_core.ids import UsageId
from llmring_core.receipts import (
    CertifyLogs,
    IssueTogether,
    ListCertified,
    LogsToCertify,
    SinceLastReceipt,
    StoredReceipt,
)
from llmring_core.transactions import Begin
from llmring_core.usage import UsageRecord
from tests.builders.kernel import NOON, P1, FakeClock, ids
from tests.builders.receipts import SIGNER, secrets
from tests.builders.usage import usage_record

EVERY = LogsToCertify(selector=SinceLastReceipt())
MINUTE = timedelta(minutes=1)


def certifying(begin: Begin[AllWork], number: int = 0) -> CertifyLogs:
    """Return a use case whose ids are its own; another number, other ids."""
    first = count(number * 1000 + 1)
    return CertifyLogs(
        begin, SIGNER, FakeClock(), ids(number + 1), lambda: next(first).to_bytes(32, "big")
    )


def certifying_calls(begin: Begin[AllWork], server: int = 0) -> CertifyCalls:
    """Return a use case with an intake of its own; another server, other ids."""
    together = IssueTogether(begin, SIGNER, FakeClock(), ids(100 + server), secrets())
    return CertifyCalls(GroupCommit(together))


def forwarded(**changes: Any) -> UsageRecord:
    """Return the record of a call through the gateway."""
    usual = {"usage_source": "provider", "metadata": {"gateway_token_id": "t"}}
    return usage_record(**(usual | changes))


async def logged(begin: Begin[AllWork], *records: UsageRecord) -> list[UsageId]:
    async with begin() as work:
        await work.usage.append(records)
    return [record.id for record in records]


async def several(begin: Begin[AllWork], count: int) -> list[UsageId]:
    """Log calls, a minute apart from noon on."""
    records = [usage_record(at=NOON + number * MINUTE) for number in range(count)]
    return await logged(begin, *records)


async def certified_by(begin: Begin[AllWork], receipt: StoredReceipt) -> list[UsageId]:
    found, total = await ListCertified(begin)(P1, receipt.id, 1000, 0)
    assert total == len(found)
    return [record.id for record in found]
