"""Rule: whether a statement is the sum of certain receipts and no others. No I/O."""

from collections.abc import Iterable, Sequence
from hashlib import sha256

from llmring_core.canonical import document_in
from llmring_core.receipts.errors import BadStatement
from llmring_core.receipts.model import PublicKey
from llmring_core.receipts.statements import MAX_BYTES, Adding, Statement, Sums, statement_in
from llmring_core.receipts.verification import receipt_in, verified


def check_complete(
    statement: Statement, receipts: Iterable[bytes], keys: Sequence[PublicKey]
) -> Sums:
    """Check that ``receipts``, as served and by number, are all that ``statement`` names.

    Returns what they come to.
    Raises: BadStatement, BadReceipt, NotCanonical, TooManyModels.
    """
    adding, expected = Adding(), statement.first_seq
    for text in receipts:
        served = text.strip()
        document = document_in(served)
        receipt = receipt_in(document)
        if receipt.seq != expected:
            raise BadStatement(f"receipt {expected} is missing; number {receipt.seq} comes instead")
        verdict = verified(document, keys)
        if not verdict.valid:
            raise BadStatement(f"receipt {expected}: {verdict.reason}")
        if receipt.project != statement.project:
            raise BadStatement(f"receipt {expected} is another project's")
        if not statement.start <= receipt.issued_at < statement.end:
            raise BadStatement(f"receipt {expected} was not issued in the period")
        adding.add(receipt, served)
        expected += 1
    if expected != statement.last_seq + 1:
        raise BadStatement(f"receipt {expected} is missing")
    sums = adding.sums
    if sums.root != statement.root:
        raise BadStatement("the receipts are not those that the statement was made over")
    return sums


def check_totals(statement: Statement, sums: Sums) -> None:
    """Check that ``statement`` says what its receipts come to. Raises BadStatement."""
    for name in Sums.__struct_fields__:
        if getattr(statement, name) != getattr(sums, name):
            raise BadStatement(f"its {name} is not what its receipts come to")


def check_follows(statement: Statement, previous: bytes, keys: Sequence[PublicKey]) -> None:
    """Check that ``statement`` goes on where ``previous``, as served, ended.

    Raises: BadStatement, BadReceipt, NotCanonical.
    """
    served = previous.strip()
    document = document_in(served, MAX_BYTES)
    before, named = statement_in(document), statement.previous
    if named is None or named.id != before.id or named.digest != sha256(served).hexdigest():
        raise BadStatement("it does not name this statement as the one before it")
    verdict = verified(document, keys)
    if not verdict.valid:
        raise BadStatement(f"the statement before it: {verdict.reason}")
    if before.last_seq + 1 != statement.first_seq or before.project != statement.project:
        raise BadStatement("it does not go on where the one before it ended")
