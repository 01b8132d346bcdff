"""Issuing receipts: each call is priced by itself, then signed together with others."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from msgspec import Struct, json

from llmring_core.clock import Clock
from llmring_core.idempotency import (
    KEY_LIFETIME,
    AlreadyAnswered,
    Answer,
    Attempt,
    Outcome,
    fingerprint_of,
    first_answer,
)
from llmring_core.ids import NewId, NewSecret, ProjectId, UsageId
from llmring_core.receipts.certifications import CertifyingWork
from llmring_core.receipts.errors import ReceiptNotFound
from llmring_core.receipts.issuing import receipt_of, signed_bytes
from llmring_core.receipts.key_history import check_in_force
from llmring_core.receipts.model import ReceiptId, StoredReceipt
from llmring_core.receipts.ports import Issuance, ReceiptIntake, ReceiptSigner, ReceiptsWork
from llmring_core.receipts.selectors import Named
from llmring_core.receipts.storing import MAX_ID, leaf_of
from llmring_core.registry import CurrentRegistry
from llmring_core.text import check_text
from llmring_core.transactions import Begin
from llmring_core.usage import UsageToLog, recorded

BY_KEY: Final = "receipts.issue"
NAMED: Final = "receipts.client_log_id"  # the answer stays with the receipt


class ReceiptToIssue(Struct, frozen=True, kw_only=True):
    """A call that somebody wants a receipt for."""

    call: UsageToLog
    lock_digest: str | None = None

    def __post_init__(self) -> None:
        check_text("lock_digest", self.lock_digest, MAX_ID)


@dataclass(frozen=True, slots=True)
class IssueReceipt:
    """Price a call and issue its receipt, once however often it is asked for."""

    begin: Begin[ReceiptsWork]
    intake: ReceiptIntake
    registry: CurrentRegistry
    clock: Clock
    new_id: NewId

    async def __call__(
        self, project: ProjectId, wanted: ReceiptToIssue, idempotency_key: str | None = None
    ) -> Outcome[StoredReceipt]:
        """Raises InvalidField, KeyReused, CannotSign, Overloaded, StoreUnavailable."""
        call, now = wanted.call, self.clock()
        quote = self.registry.quote(call.provider, call.model)
        id = UsageId(self.new_id())
        record = recorded(project, call, quote, id=id, at=now, request_id=None)
        attempts = _attempts(wanted, idempotency_key)
        issuance = Issuance(
            record=record, lock_digest=wanted.lock_digest, attempts=attempts, in_ledger=False
        )
        try:
            stored = await self.intake.take(issuance)
        except AlreadyAnswered:
            return Outcome(value=await self._first(project, attempts, now), replayed=True)
        return Outcome(value=stored, replayed=False)

    async def _first(
        self, project: ProjectId, attempts: Sequence[Attempt], now: datetime
    ) -> StoredReceipt:
        async with self.begin() as work:
            id = json.decode(await first_answer(work.answers, project, attempts, now), type=str)
            found = await work.receipts.find(project, ReceiptId(id))
        if found is None:
            raise ReceiptNotFound(id)
        return found


@dataclass(frozen=True, slots=True)
class IssueTogether:
    """Number, sign, store and log the receipts of some calls: all of it or nothing.

    A call that the ledger has is linked to its receipt, and has no other.
    """

    begin: Begin[CertifyingWork]
    signer: ReceiptSigner
    clock: Clock
    new_id: NewId
    new_secret: NewSecret

    async def __call__(self, issuances: Sequence[Issuance]) -> list[StoredReceipt]:
        """Raises AlreadyAnswered, NotCanonical, CannotSign, StoreUnavailable."""
        places = defaultdict[ProjectId, list[int]](list)
        for place, issuance in enumerate(issuances):
            places[issuance.record.project].append(place)
        issued: dict[int, StoredReceipt] = {}
        async with self.begin() as work:
            check_in_force(await work.keys.all(), self.signer)
            for project in sorted(places):  # in one order everywhere, so no deadlocks
                own = places[project]
                await _claim(work, project, [issuances[place] for place in own])
                first, at = await work.receipts.take_numbers(project, len(own), self.clock())
                for seq, place in enumerate(own, first):
                    issued[place] = self._signed(issuances[place], seq, at)
                await work.receipts.add(project, [issued[place] for place in own])
                await _link(work, project, [(issuances[place], issued[place]) for place in own])
            stored = [issued[place] for place in range(len(issuances))]
            await work.log.add([leaf_of(one) for one in stored])
            await work.answers.add(_answers(issuances, stored), self.clock())
        return stored

    def _signed(self, issuance: Issuance, seq: int, at: datetime) -> StoredReceipt:
        receipt = receipt_of(
            issuance.record,
            id=ReceiptId(f"rcpt_{self.new_id()}"),
            seq=seq,
            issued_at=at,
            key_id=self.signer.key_id,
            lock_digest=issuance.lock_digest,
            in_ledger=issuance.in_ledger,
        )
        body = signed_bytes(receipt)
        return StoredReceipt(
            id=receipt.id,
            shape="v2",
            seq=seq,
            body=body.decode(),
            signature=self.signer.sign(body),
            loose=None,
            stored_at=at,
            leaf=self.new_id(),
            salt=self.new_secret(),
        )


async def _claim(work: CertifyingWork, project: ProjectId, issuances: Sequence[Issuance]) -> None:
    """Let nobody else certify the calls among these that the ledger has, while this goes on.

    Raises AlreadyAnswered, naming those that have a receipt, or that it does not have.
    """
    named = {issuance.record.id: issuance for issuance in issuances if issuance.in_ledger}
    if not named:
        return
    await work.certifications.lock(project)
    free = Named(log_ids=tuple(named))
    for record in await work.certifications.uncertified(project, free, len(named)):
        del named[record.id]
    if named:
        raise AlreadyAnswered([issuance.name_in_ledger for issuance in named.values()])


async def _link(
    work: CertifyingWork, project: ProjectId, issued: Sequence[tuple[Issuance, StoredReceipt]]
) -> None:
    """Remember which of the calls that the ledger has got which receipt."""
    certified = {
        stored.id: [issuance.record.id] for issuance, stored in issued if issuance.in_ledger
    }
    if certified:
        await work.certifications.add(project, certified)


def _attempts(wanted: ReceiptToIssue, idempotency_key: str | None) -> tuple[Attempt, ...]:
    named = {BY_KEY: idempotency_key, NAMED: wanted.call.client_log_id}
    keys = {scope: key for scope, key in named.items() if key is not None}
    if not keys:
        return ()
    fingerprint = fingerprint_of(wanted)
    return tuple(
        Attempt(scope=scope, key=key, fingerprint=fingerprint) for scope, key in keys.items()
    )


def _answers(issuances: Sequence[Issuance], stored: Sequence[StoredReceipt]) -> list[Answer]:
    """Return what a repeated request is told: which receipt it got the first time."""
    return [
        Answer(
            project=issuance.record.project,
            attempt=attempt,
            body=json.encode(one.id).decode(),
            expires_at=None if attempt.scope == NAMED else issuance.record.at + KEY_LIFETIME,
        )
        for issuance, one in zip(issuances, stored, strict=True)
        for attempt in issuance.attempts
    ]
