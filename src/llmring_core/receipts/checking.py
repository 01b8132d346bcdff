"""Rule: everything that can be checked of a receipt without asking anybody. No I/O."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from llmring_core.canonical import NotCanonical, document_in
from llmring_core.errors import LLMRingError
from llmring_core.money import plain
from llmring_core.receipts.historic import shape_of
from llmring_core.receipts.model import PublicKey
from llmring_core.receipts.statement_checks import check_complete, check_follows, check_totals
from llmring_core.receipts.statements import MAX_BYTES, statement_in
from llmring_core.receipts.verification import bytes_signed, receipt_in, verified
from llmring_core.registry import Catalogue, snapshot_in
from llmring_core.transparency import (
    RECEIPT,
    STATEMENT,
    NoteKey,
    check_consistency,
    check_inclusion,
    commitment_to,
    proof_in,
    verified_checkpoint,
)
from llmring_core.usage import Tokens, cost_usd, rate_lines


class Evidence(Struct, frozen=True, kw_only=True):
    """A receipt or a statement, and what whoever checks it holds besides."""

    document: bytes  # as it was served
    keys: Sequence[PublicKey]
    proof: str | None = None  # its proof file
    log_key: NoteKey | None = None  # who must have signed checkpoints
    witnesses: Sequence[NoteKey] = ()  # all of whom must have cosigned
    older_checkpoint: str | None = None  # kept from an earlier day
    consistency: Sequence[bytes] | None = None  # from there to the proof's checkpoint
    snapshot: bytes | None = None  # the registry version it was priced from, as served
    receipts: Sequence[bytes] | None = None  # that a statement adds up, as served, by number
    previous: bytes | None = None  # the statement before it, as served


class Step(Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    name: str
    passed: bool
    detail: str


class Report(Struct, frozen=True, kw_only=True):
    valid: bool  # no step failed
    receipt_id: str | None
    steps: list[Step]


class _Failed(Exception):
    """A step shows that something is wrong."""


def checked(evidence: Evidence) -> Report:
    """Check everything that ``evidence`` allows; a step it does not allow is left out."""
    steps = [_step("form", _form, evidence), _step("signature", _signature, evidence)]
    if evidence.proof is not None:
        steps.append(_step("inclusion", _inclusion, evidence))
        if evidence.log_key is not None:
            steps.append(_step("checkpoint", _checkpoint, evidence))
    if evidence.older_checkpoint is not None:
        steps.append(_step("consistency", _consistency, evidence))
    if evidence.snapshot is not None:
        steps.append(_step("cost", _cost, evidence))
    if evidence.receipts is not None:
        steps.append(_step("completeness", _completeness, evidence))
    if evidence.previous is not None:
        steps.append(_step("sequence", _sequence, evidence))
    id = _id(evidence.document)
    return Report(valid=all(step.passed for step in steps), receipt_id=id, steps=steps)


def _step(name: str, check: Callable[[Evidence], str], evidence: Evidence) -> Step:
    try:
        return Step(name=name, passed=True, detail=check(evidence))
    except (LLMRingError, _Failed) as error:
        return Step(name=name, passed=False, detail=str(error))


def _form(evidence: Evidence) -> str:
    shape, _ = bytes_signed(document_in(evidence.document, MAX_BYTES))
    return "a statement" if shape == "statement" else f"a receipt of shape {shape}"


def _signature(evidence: Evidence) -> str:
    verdict = verified(document_in(evidence.document, MAX_BYTES), evidence.keys)
    if not verdict.valid:
        raise _Failed(verdict.reason or "")
    if verdict.full is False:
        raise _Failed("its content is not what was signed")
    return f"signed by {verdict.key_id}"


def _inclusion(evidence: Evidence) -> str:
    proof, content = proof_in(evidence.proof or ""), evidence.document.strip()
    kind = STATEMENT if shape_of(document_in(content, MAX_BYTES)) == "statement" else RECEIPT
    check_inclusion(proof, commitment_to(kind, proof.salt, content))
    return f"entry {proof.index} of the log"


def _checkpoint(evidence: Evidence) -> str:
    if evidence.log_key is None:
        raise _Failed("no key of the log was given")
    checkpoint, cosigners = verified_checkpoint(
        proof_in(evidence.proof or "").checkpoint, evidence.log_key, evidence.witnesses
    )
    missing = [key.name for key in evidence.witnesses if key not in cosigners]
    if missing:
        raise _Failed(f"not cosigned by {', '.join(missing)}")
    return f"{checkpoint.origin} signed it at {checkpoint.size} entries"


def _consistency(evidence: Evidence) -> str:
    if evidence.log_key is None or evidence.proof is None or evidence.consistency is None:
        raise _Failed("an older checkpoint needs the log's key, a proof and a consistency proof")
    old, _ = verified_checkpoint(evidence.older_checkpoint or "", evidence.log_key)
    new, _ = verified_checkpoint(proof_in(evidence.proof).checkpoint, evidence.log_key)
    check_consistency(old.size, old.root, new.size, new.root, evidence.consistency)
    return f"the log of {old.size} entries is the beginning of this one"


def _cost(evidence: Evidence) -> str:
    """Derive the cost again, from the price list and the tokens, to the last digit."""
    receipt = receipt_in(document_in(evidence.document))
    snapshot = snapshot_in(evidence.snapshot or b"")
    if receipt.registry is None:
        raise _Failed("it states no registry version")
    if snapshot.digest != receipt.registry.digest:
        raise _Failed(f"this is not the price list {receipt.registry.digest}")
    quote = Catalogue(snapshot).quote(receipt.provider, receipt.model)
    if quote is None:
        raise _Failed("the price list has no price for this model")
    used = receipt.usage
    tokens = Tokens(**{name: getattr(used, name) for name in Tokens.__struct_fields__})
    lines = rate_lines(tokens, quote.prices)
    if lines != receipt.cost.lines:
        raise _Failed("its lines are not those of the price list")
    amount = cost_usd(lines)
    if receipt.cost.status == "client":
        return f"the registry's price is {plain(amount)} USD; its caller stated the amount"
    if receipt.cost.amount != plain(amount):
        raise _Failed(f"it should cost {plain(amount)} USD")
    return f"{plain(amount)} USD, as the price list says"


def _completeness(evidence: Evidence) -> str:
    """Add the receipts up again: they are all of the period, and no others."""
    statement = statement_in(document_in(evidence.document, MAX_BYTES))
    sums = check_complete(statement, evidence.receipts or (), evidence.keys)
    check_totals(statement, sums)
    return f"{sums.count} receipts come to {sums.amount} USD"


def _sequence(evidence: Evidence) -> str:
    statement = statement_in(document_in(evidence.document, MAX_BYTES))
    check_follows(statement, evidence.previous or b"", evidence.keys)
    return f"it goes on after receipt {statement.first_seq - 1}, where the one before it ended"


def _id(content: bytes) -> str | None:
    try:
        document = document_in(content, MAX_BYTES)
    except NotCanonical:
        return None
    id = document.get("receipt_id", document.get("id"))
    return id if isinstance(id, str) else None
