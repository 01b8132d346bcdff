"""Receipts for calls through the gateway, once they are in the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from llmring_core.clock import Clock
from llmring_core.errors import LLMRingError, Unavailable
from llmring_core.gateway.ports import GatewayWork
from llmring_core.idempotency import AlreadyAnswered
from llmring_core.ids import ProjectId
from llmring_core.receipts import CertifyingWork, Issuance, MeteredWithin, ReceiptIntake
from llmring_core.transactions import Begin
from llmring_core.usage import Period, UsageRecord

LOOK_BACK: Final = timedelta(days=1)  # for calls without a receipt
LEFT_ALONE: Final = timedelta(seconds=5)  # so long a call's own server has for its receipt
AGAIN: Final = timedelta(minutes=10)  # looked through the next time, too: what comes late is found
STRETCH: Final = timedelta(hours=1)  # looked at in one query
LOOKS: Final = 40  # queries for a project in one turn
AT_ONCE: Final = 500  # receipts asked for together


class Certifier(Protocol):
    """Has receipts issued for calls that are in the ledger, beside the calls."""

    def certify(self, record: UsageRecord) -> None:
        """Have its receipt issued, soon. It never waits and never fails.

        A call without a receipt stays listed as uncertified, for ``CertifyMissed`` to find.
        """


class CertifierWork(GatewayWork, CertifyingWork, Protocol):
    """The stores that may be touched where calls without a receipt are looked for."""


def is_certifiable(record: UsageRecord) -> bool:
    """Return whether it is a call through the gateway of which is known what it cost."""
    is_forwarded = record.kind == "call" and "gateway_token_id" in record.metadata
    return is_forwarded and record.cost_usd is not None


@dataclass(frozen=True, slots=True)
class CertifyCalls:
    """Issue a receipt for each of some calls that are in the ledger, unless it has one."""

    intake: ReceiptIntake

    async def __call__(self, records: Sequence[UsageRecord]) -> list[LLMRingError]:
        """Return why some can have none; the others have theirs.

        Raises CannotSign, Overloaded, StoreUnavailable: some may have theirs, and all may be tried
        again.
        """
        outcomes = await self.intake.take_all([_issuance(record) for record in records])
        refusals = [one for one in outcomes if isinstance(one, LLMRingError)]
        for refusal in refusals:
            if isinstance(refusal, Unavailable):
                raise refusal
        return [one for one in refusals if not isinstance(one, AlreadyAnswered)]


@dataclass(frozen=True, slots=True)
class CertifyMissed:
    """Issue the receipts that crashes and failures of the last day left out."""

    begin: Begin[CertifierWork]
    certify: CertifyCalls
    clock: Clock

    async def __call__(self, since: Mapping[ProjectId, datetime]) -> dict[ProjectId, datetime]:
        """Look through the projects that issue receipts, each from ``since`` on, and return from
        when on (UTC) the next time.

        Raises CannotSign, Overloaded, StoreUnavailable.
        """
        now = self.clock()
        async with self.begin() as work:
            projects = [one.id for one in await work.gateway.all() if one.issues_receipts]
        earliest, until = now - LOOK_BACK, now - LEFT_ALONE
        starts = {project: max(since.get(project, earliest), earliest) for project in projects}
        return {
            project: await self._looked_through(project, start, until)
            for project, start in starts.items()
        }

    async def _looked_through(
        self, project: ProjectId, start: datetime, until: datetime
    ) -> datetime:
        for _ in range(LOOKS):
            if start >= until:
                break
            end = min(start + STRETCH, until)
            missed = await self._missed(project, Period(start=start, end=end))
            await self.certify([record for record in missed if is_certifiable(record)])
            if len(missed) < AT_ONCE:  # else there may be more
                start = end
        return min(start, until - AGAIN)

    async def _missed(self, project: ProjectId, period: Period) -> list[UsageRecord]:
        async with self.begin() as work:
            selector = MeteredWithin(period=period)
            return await work.certifications.uncertified(project, selector, AT_ONCE)


def _issuance(record: UsageRecord) -> Issuance:
    return Issuance(record=record, lock_digest=None, attempts=(), in_ledger=True)
