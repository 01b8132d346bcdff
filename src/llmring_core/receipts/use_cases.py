"""What the receipts context does. Writes first, reads after."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct

from llmring_core.canonical import canonical, document_in
from llmring_core.clock import Clock
from llmring_core.ids import NewId, NewSecret, ProjectId, UsageId
from llmring_core.receipts.errors import (
    BadSignature,
    CannotSign,
    DuplicateReceipt,
    ReceiptNotFound,
)
from llmring_core.receipts.historic import LOOSE
from llmring_core.receipts.issuing import receipt_of, signed_bytes
from llmring_core.receipts.model import PublicKey, Receipt, ReceiptId, StoredReceipt
from llmring_core.receipts.ports import ReceiptSigner, ReceiptsWork
from llmring_core.receipts.verification import Verdict, bytes_signed, verified
from llmring_core.registry import CurrentRegistry
from llmring_core.text import check_text
from llmring_core.transactions import Begin
from llmring_core.transparency import RECEIPT, InclusionProof, Leaf, ProveInclusion, commitment_to
from llmring_core.usage import UsageRecord, UsageToLog, recorded

MAX_ID = 255  # characters


class ReceiptToIssue(Struct, frozen=True, kw_only=True):
    """A call that somebody wants a receipt for."""

    call: UsageToLog
    lock_digest: str | None = None

    def __post_init__(self) -> None:
        check_text("lock_digest", self.lock_digest, MAX_ID)


@dataclass(frozen=True, slots=True)
class IssueReceipt:
    """Price a call, and sign, number, store and log its receipt: all of it or nothing."""

    begin: Begin[ReceiptsWork]
    signer: ReceiptSigner
    registry: CurrentRegistry
    clock: Clock
    new_id: NewId
    new_secret: NewSecret

    async def __call__(self, project: ProjectId, wanted: ReceiptToIssue) -> StoredReceipt:
        """Raises InvalidField, CannotSign."""
        call, now = wanted.call, self.clock()
        quote = self.registry.quote(call.provider, call.model)
        id = UsageId(self.new_id())
        record = recorded(project, call, quote, id=id, at=now, request_id=None)
        async with self.begin() as work:
            _check_in_force(await work.keys.all(), self.signer)
            seq = await work.receipts.take_numbers(project, 1)
            stored = self._signed(record, wanted.lock_digest, seq)
            await work.receipts.add(project, [stored])
            await work.log.add([leaf_of(stored)])
        return stored

    def _signed(self, record: UsageRecord, lock_digest: str | None, seq: int) -> StoredReceipt:
        now = self.clock()
        receipt: Receipt = receipt_of(
            record,
            id=ReceiptId(f"rcpt_{self.new_id()}"),
            seq=seq,
            issued_at=now,
            key_id=self.signer.key_id,
            lock_digest=lock_digest,
            in_ledger=False,
        )
        body = signed_bytes(receipt)
        return StoredReceipt(
            id=receipt.id,
            shape="v2",
            seq=seq,
            body=body.decode(),
            signature=self.signer.sign(body),
            loose=None,
            stored_at=now,
            leaf=self.new_id(),
            salt=self.new_secret(),
        )


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

    async def __call__(self, document: dict[str, object]) -> Verdict:
        async with self.begin() as work:
            keys = await work.keys.all()
        return verified(document, keys)


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
class ProveReceipt:
    """Show that a receipt is in the transparency log."""

    begin: Begin[ReceiptsWork]
    prove: ProveInclusion

    async def __call__(self, project: ProjectId, id: ReceiptId) -> InclusionProof:
        """Raises ReceiptNotFound, and NotInLog while the log has not taken it in."""
        async with self.begin() as work:
            found = await work.receipts.find(project, id)
        if found is None:
            raise ReceiptNotFound(id)
        return await self.prove(found.leaf, found.salt)


def _check_in_force(keys: Sequence[PublicKey], signer: ReceiptSigner) -> None:
    """Raises CannotSign when the key was retired or revoked since this server started."""
    if not any(key.id == signer.key_id and key.status == "active" for key in keys):
        raise CannotSign("the key of this server is not in force any more; restart it with another")


def leaf_of(stored: StoredReceipt) -> Leaf:
    """Return the log's entry for a receipt: a commitment to exactly what is served of it."""
    commitment = commitment_to(RECEIPT, stored.salt, stored.document.encode())
    return Leaf(id=stored.leaf, kind=RECEIPT, commitment=commitment)
