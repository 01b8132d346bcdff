"""What receipts for calls that are logged already need from the outside."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from llmring_core.ids import ProjectId, UsageId
from llmring_core.receipts.model import ReceiptId
from llmring_core.receipts.ports import ReceiptsWork
from llmring_core.receipts.selectors import LogSelector
from llmring_core.usage import UsageRecord, UsageWork


class Certifications(Protocol):
    """Which receipt certifies which of a project's calls; a call has one receipt at most.

    Corrections are no calls, and are never certified.
    """

    async def lock(self, project: ProjectId) -> None:
        """Wait until nobody else certifies the project's calls; until the transaction ends."""

    async def uncertified(
        self, project: ProjectId, selector: LogSelector, limit: int, offset: int = 0
    ) -> list[UsageRecord]:
        """Return the selected calls without a receipt, oldest first, after skipping ``offset``."""

    async def count(self, project: ProjectId, selector: LogSelector) -> int:
        """Return how many of the selected calls have no receipt."""

    async def add(
        self, project: ProjectId, certified: Mapping[ReceiptId, Sequence[UsageId]]
    ) -> None:
        """Remember which calls receipts certify, in this order.

        Raises AlreadyCertified when one of the calls has a receipt.
        """

    async def of(
        self, project: ProjectId, receipt: ReceiptId, limit: int, offset: int = 0
    ) -> tuple[list[UsageRecord], int]:
        """Return calls that ``receipt`` certifies, in its order; and how many there are."""


class CertifyingWork(ReceiptsWork, UsageWork, Protocol):
    """The stores one certifying transaction may touch."""

    @property
    def certifications(self) -> Certifications: ...
