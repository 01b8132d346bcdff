"""Receipts for calls that are logged already. Writes first, reads after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct, json

from llmring_core.canonical import MAX_BYTES
from llmring_core.clock import Clock
from llmring_core.errors import InvalidField
from llmring_core.idempotency import (
    KEY_LIFETIME,
    AlreadyAnswered,
    Answer,
    Attempt,
    Outcome,
    fingerprint_of,
    first_answer,
)
from llmring_core.ids import NewId, NewSecret, ProjectId
from llmring_core.receipts.certifications import CertifyingWork
from llmring_core.receipts.errors import NoLogsFound, ReceiptNotFound, TooManyLogs
from llmring_core.receipts.flat import historic_id, sign_flat
from llmring_core.receipts.key_history import check_in_force
from llmring_core.receipts.model import ReceiptId, StoredReceipt
from llmring_core.receipts.ports import ReceiptSigner
from llmring_core.receipts.selectors import EVERY_LOG, LogSelector
from llmring_core.receipts.storing import leaf_of
from llmring_core.receipts.summary import (
    LogSummary,
    batch_summary,
    priced_now,
    receipt_over,
    summary_of,
)
from llmring_core.text import check_text
from llmring_core.transactions import Begin
from llmring_core.usage import UsageRecord

MAX_LOGS = 10_000  # of one receipt
MAX_DESCRIPTION = 1000  # characters
MAX_TAGS = 50
MAX_TAG = 255  # characters


class LogsToCertify(Struct, frozen=True, kw_only=True):
    """Logs that somebody wants one receipt for. Raises InvalidField."""

    selector: LogSelector
    description: str | None = None
    tags: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_text("description", self.description, MAX_DESCRIPTION)
        tags = self.tags or ()
        if len(tags) > MAX_TAGS:
            raise InvalidField("tags", f"must be {MAX_TAGS} at most")
        for tag in tags:
            check_text("tags", tag, MAX_TAG)


class Certified(Struct, frozen=True, kw_only=True):
    receipt: StoredReceipt
    count: int  # logs


@dataclass(frozen=True, slots=True)
class CertifyLogs:
    """Sign one receipt for logs that have none: sign, link, store and log it, or nothing."""

    begin: Begin[CertifyingWork]
    signer: ReceiptSigner
    clock: Clock
    new_id: NewId
    new_secret: NewSecret

    async def __call__(
        self, project: ProjectId, wanted: LogsToCertify, idempotency_key: str | None = None
    ) -> Outcome[Certified]:
        """Raises NoLogsFound, TooManyLogs, CannotSign, KeyReused, AlreadyAnswered."""
        now = self.clock()
        id = ReceiptId(historic_id(self.new_secret()))
        attempts = _attempts(wanted, idempotency_key)
        body, expires_at = json.encode(id).decode(), now + KEY_LIFETIME
        answers = [
            Answer(project=project, attempt=attempt, body=body, expires_at=expires_at)
            for attempt in attempts
        ]
        try:
            async with self.begin() as work:
                if answers:
                    await work.answers.add(answers, now)
                certified = await self._certify(work, project, wanted, id, now)
        except AlreadyAnswered:
            return await self._first_outcome(project, attempts, now)
        return Outcome(value=certified, replayed=False)

    async def _certify(
        self,
        work: CertifyingWork,
        project: ProjectId,
        wanted: LogsToCertify,
        id: ReceiptId,
        now: datetime,
    ) -> Certified:
        await work.certifications.lock(project)
        check_in_force(await work.keys.all(), self.signer)
        logs = await selected(work, project, wanted.selector)
        if not logs:
            raise NoLogsFound
        stored = self._signed(logs, wanted, id, now)
        await work.receipts.add(project, [stored])
        await work.certifications.add(project, {id: [log.id for log in logs]})
        await work.log.add([leaf_of(stored)])
        return Certified(receipt=stored, count=len(logs))

    def _signed(
        self, logs: Sequence[UsageRecord], wanted: LogsToCertify, id: ReceiptId, now: datetime
    ) -> StoredReceipt:
        summary = summary_of(logs)
        content: dict[str, object] = {
            "receipt_type": summary.receipt_type,
            "batch_summary": batch_summary(logs, summary),
            "description": wanted.description,
            "tags": None if wanted.tags is None else list(wanted.tags),
        }
        signed = sign_flat(receipt_over(logs, summary, id=id, at=now), content, self.signer)
        if len(signed.document.encode()) > MAX_BYTES:
            raise TooManyLogs(
                f"a receipt for these {len(logs)} logs would have more than {MAX_BYTES} bytes; "
                "certify fewer at once"
            )
        return StoredReceipt(
            id=id,
            shape="flat",
            seq=None,
            body=signed.body,
            signature=signed.signature,
            loose=signed.loose,
            stored_at=now,
            leaf=self.new_id(),
            salt=self.new_secret(),
        )

    async def _first_outcome(
        self, project: ProjectId, attempts: Sequence[Attempt], now: datetime
    ) -> Outcome[Certified]:
        async with self.begin() as work:
            body = await first_answer(work.answers, project, attempts, now)
            id = json.decode(body, type=ReceiptId)
            found = await work.receipts.find(project, id)
            _, count = await work.certifications.of(project, id, 0)
        if found is None:
            raise ReceiptNotFound(id)
        return Outcome(value=Certified(receipt=found, count=count), replayed=True)


@dataclass(frozen=True, slots=True)
class PreviewReceipt:
    """Say what a receipt would say, and change nothing."""

    begin: Begin[CertifyingWork]

    async def __call__(self, project: ProjectId, selector: LogSelector) -> LogSummary | None:
        """Return None when no log is meant. Raises TooManyLogs."""
        async with self.begin() as work:
            logs = await selected(work, project, selector)
        return summary_of(logs) if logs else None


@dataclass(frozen=True, slots=True)
class ListUncertified:
    """Read the project's calls without a receipt, oldest first."""

    begin: Begin[CertifyingWork]

    async def __call__(
        self, project: ProjectId, limit: int, offset: int
    ) -> tuple[list[UsageRecord], int]:
        """Return a page, and how many there are in all."""
        async with self.begin() as work:
            found = await work.certifications.uncertified(project, EVERY_LOG, limit, offset)
            count = await work.certifications.count(project, EVERY_LOG)
            return await _priced(work, project, found), count


@dataclass(frozen=True, slots=True)
class ListCertified:
    """Read the calls that one receipt certifies, in its order."""

    begin: Begin[CertifyingWork]

    async def __call__(
        self, project: ProjectId, id: ReceiptId, limit: int, offset: int
    ) -> tuple[list[UsageRecord], int]:
        """Return a page, and how many there are in all. Raises ReceiptNotFound."""
        async with self.begin() as work:
            if await work.receipts.find(project, id) is None:
                raise ReceiptNotFound(id, "Receipt not found or access denied")
            found, count = await work.certifications.of(project, id, limit, offset)
            return await _priced(work, project, found), count


async def selected(
    work: CertifyingWork, project: ProjectId, selector: LogSelector
) -> list[UsageRecord]:
    """Return the selected logs without a receipt, oldest first. Raises TooManyLogs."""
    logs = await work.certifications.uncertified(project, selector, MAX_LOGS + 1)
    if len(logs) > MAX_LOGS:
        count = await work.certifications.count(project, selector)
        raise TooManyLogs(
            f"{count} logs match, and one receipt certifies {MAX_LOGS} at most; "
            "certify them by shorter date ranges"
        )
    return await _priced(work, project, logs)


async def _priced(
    work: CertifyingWork, project: ProjectId, logs: Sequence[UsageRecord]
) -> list[UsageRecord]:
    corrections = await work.usage.adjustments(project, [log.id for log in logs])
    return priced_now(logs, corrections)


def _attempts(wanted: LogsToCertify, key: str | None) -> list[Attempt]:
    if key is None:
        return []
    return [Attempt(scope="receipts.generate", key=key, fingerprint=fingerprint_of(wanted))]
