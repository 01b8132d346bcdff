"""Rule: how a receipt that is kept stands in the transparency log."""

from typing import Final

from llmring_core.receipts.model import StoredReceipt
from llmring_core.transparency import RECEIPT, Leaf, commitment_to

MAX_ID: Final = 255  # characters


def leaf_of(stored: StoredReceipt) -> Leaf:
    """Return the log's entry for a receipt: a commitment to exactly what is served of it."""
    commitment = commitment_to(RECEIPT, stored.salt, stored.document.encode())
    return Leaf(id=stored.leaf, kind=RECEIPT, commitment=commitment)
