"""What the receipts context does. Writes first, reads after."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Final

from llmring_core.aside import Aside
from llmring_core.canonical import canonical, document_in
from llmring_core.clock import Clock
from llmring_core.ids import NewId, NewSecret, ProjectId
from llmring_core.receipts.errors import BadReceipt, BadSignature, DuplicateReceipt, ReceiptNotFound
from llmring_core.receipts.historic import LOOSE
from llmring_core.receipts.model import PublicKey, ReceiptId, StoredReceipt
from llmring_core.receipts.ports import ReceiptsWork
from llmring_core.receipts.storing import MAX_ID, leaf_of
from llmring_core.receipts.verification import Verdict, bytes_signed, verified
from llmring_core.text import check_text
from llmring_core.transactions import Begin
from llmring_core.transparency import InclusionProof, proved

READ_TOGETHER: Final = 500  # receipts
LONG: Final = 16 * 1024  # bytes; to check a document of 512 KiB takes a noticeable time


@dataclass(frozen=True, slots=True)
class StoreReceipt:
    """Keep a receipt that one of our keys signed, once its signature checks out."""

    begin: Begin[ReceiptsWork]
    clock: Clock
    new_id: NewId
    new_secret: NewSecret

    async def __call__(self, project: ProjectId, text: bytes) -> StoredReceipt:
        """Raises NotCanonical, BadReceipt, BadSignature, DuplicateReceipt."""
        document = document_in(text)
        shape, body = bytes_signed(document)
        if shape == "statement":
            raise BadReceipt("this is a statement, which its issuer keeps")
        loose = {name: document[name] for name in LOOSE if name in document}
        id = ReceiptId(str(document.get("receipt_id", document.get("id"))))
        check_text("receipt_id", id, MAX_ID)
        stored = StoredReceipt(
            id=id,
            shape=shape,
            seq=None,
            body=body.decode(),
            signature=str(document.get("signature")),
            loose=canonical(loose).decode() if shape == "flat" and loose else None,
            stored_at=self.clock(),
            leaf=self.new_id(),
            salt=self.new_secret(),
        )
        async with self.begin() as work:
            verdict = verified(document, await work.keys.all())
            if not verdict.valid or verdict.full is False:
                raise BadSignature("Invalid receipt signature")
            known = await work.receipts.find(project, id)
            if known is None:
                await work.receipts.add(project, [stored])
                await work.log.add([leaf_of(stored)])
                return stored
        if (known.body, known.signature, known.loose) != (
            stored.body,
            stored.signature,
            stored.loose,
        ):
            raise DuplicateReceipt(f"receipt {id} is stored with another content")
        return known


@dataclass(frozen=True, slots=True)
class VerifyReceipt:
    """Say whether one of our keys signed a document, whoever brings it."""

    begin: Begin[ReceiptsWork]
    aside: Aside

    async def __call__(self, text: bytes) -> tuple[dict[str, object], Verdict]:
        """Return what the text says, and the verdict. Raises NotCanonical."""
        async with self.begin() as work:
            keys = await work.keys.all()
        if len(text) < LONG:
            return _judged(text, keys)
        return await self.aside(lambda: _judged(text, keys))


@dataclass(frozen=True, slots=True)
class FetchReceipt:
    """Read one of the project's receipts, and check that it still is what was signed."""

    begin: Begin[ReceiptsWork]

    async def __call__(self, project: ProjectId, id: ReceiptId) -> tuple[StoredReceipt, Verdict]:
        """Raises ReceiptNotFound."""
        async with self.begin() as work:
            found = await work.receipts.find(project, id)
            keys = await work.keys.all()
        if found is None:
            raise ReceiptNotFound(id)
        return found, verified(document_in(found.document.encode()), keys)


@dataclass(frozen=True, slots=True)
class ListReceipts:
    """Read the project's receipts, the last stored first."""

    begin: Begin[ReceiptsWork]

    async def __call__(
        self, project: ProjectId, limit: int, offset: int
    ) -> tuple[list[StoredReceipt], int]:
        """Return a page, and how many there are in all."""
        async with self.begin() as work:
            return await work.receipts.newest(project, limit, offset)


@dataclass(frozen=True, slots=True)
class ExportReceipts:
    """Read all of the project's receipts, in order of id."""

    begin: Begin[ReceiptsWork]

    async def __call__(self, project: ProjectId) -> AsyncGenerator[list[StoredReceipt], None]:
        """Yield pages of a transaction each, at least one."""
        after: ReceiptId | None = None
        while True:
            async with self.begin() as work:
                page = await work.receipts.own(project, after, READ_TOGETHER)
            yield page
            if len(page) < READ_TOGETHER:
                return
            after = page[-1].id


@dataclass(frozen=True, slots=True)
class ProveReceipt:
    """Show that a receipt is in the transparency log."""

    begin: Begin[ReceiptsWork]

    async def __call__(self, project: ProjectId, id: ReceiptId) -> InclusionProof:
        """Raises ReceiptNotFound, and NotInLog while the log has not taken it in."""
        async with self.begin() as work:
            found = await work.receipts.find(project, id)
            if found is None:
                raise ReceiptNotFound(id)
            return await proved(work.log, found.leaf, found.salt)


def _judged(text: bytes, keys: Sequence[PublicKey]) -> tuple[dict[str, object], Verdict]:
    document = document_in(text)
    return document, verified(document, keys)
