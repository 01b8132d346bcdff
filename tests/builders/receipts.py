"""A key, and what is needed to issue receipts with it."""

from base64 import urlsafe_b64decode
from collections.abc import Callable
from itertools import count

from llmring_adapters.receipts.local_key import LocalReceiptKey
from llmring_adapters.transactions.all_work import AllWork
from llmring_core.receipts import IssueReceipt, PublicKey, ReceiptToIssue
from llmring_core.transactions import Begin
from tests.builders.kernel import NOON, FakeClock, ids
from tests.builders.registry import PriceList
from tests.builders.usage import CALL

SEED = bytes(range(32))
SIGNER = LocalReceiptKey(SEED)
KEY = PublicKey(
    id=SIGNER.key_id, raw=SIGNER.public_key, not_before=NOON, retired_at=None, revoked_at=None
)
WANTED = ReceiptToIssue(call=CALL)


def secrets() -> Callable[[], bytes]:
    numbers = count(1)
    return lambda: next(numbers).to_bytes(32, "big")


def issuing(begin: Begin[AllWork]) -> IssueReceipt:
    return IssueReceipt(begin, SIGNER, PriceList(), FakeClock(), ids(), secrets())


def signature_in(text: str) -> bytes:
    """Return the 64 bytes that a signature's text stands for."""
    return urlsafe_b64decode(text.removeprefix("ed25519:") + "==")
