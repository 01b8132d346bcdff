"""Checking every receipt that is stored."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from msgspec import Struct

from llmring_core.canonical import NotCanonical, document_in
from llmring_core.ids import ProjectId
from llmring_core.receipts.model import PublicKey, ReceiptId, StoredReceipt
from llmring_core.receipts.ports import ReceiptsWork
from llmring_core.receipts.storing import leaf_of
from llmring_core.receipts.verification import verified
from llmring_core.transactions import Begin

AUDITED_TOGETHER = 500


class Finding(Struct, frozen=True, kw_only=True):
    """A stored receipt that is not what it should be."""

    project: ProjectId
    receipt: ReceiptId
    wrong: str


@dataclass(frozen=True, slots=True)
class AuditReceipts:
    """Check every stored receipt: its signature, its number, and its entry in the log."""

    begin: Begin[ReceiptsWork]

    async def __call__(self) -> AsyncGenerator[tuple[int, list[Finding]], None]:
        """Yield page by page how many were looked at, and what is wrong with them."""
        async with self.begin() as work:
            keys = await work.keys.all()
        after: tuple[ProjectId, ReceiptId] | None = None
        while True:
            async with self.begin() as work:
                page = await work.receipts.every(after, AUDITED_TOGETHER)
                logged = await work.log.find([stored.leaf for _, stored in page])
            findings = []
            for project, stored in page:
                wrong = _wrong_with(stored, keys, logged.get(stored.leaf))
                if wrong is not None:
                    findings.append(Finding(project=project, receipt=stored.id, wrong=wrong))
            yield len(page), findings
            if len(page) < AUDITED_TOGETHER:
                return
            after = page[-1][0], page[-1][1].id


def _wrong_with(
    stored: StoredReceipt, keys: Sequence[PublicKey], entry: bytes | None
) -> str | None:
    """Return what is wrong with a stored receipt, given the log's entry for it."""
    try:
        verdict = verified(document_in(stored.document.encode()), keys)
    except NotCanonical as error:
        return str(error)
    if not verdict.valid:
        return verdict.reason
    if verdict.full is False:
        return "its content is not what was signed"
    if entry is None:
        return "the log has no entry for it"
    if entry != leaf_of(stored).commitment:
        return "the log's entry is for another content"
    return None
