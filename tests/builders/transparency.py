"""A log of a few leaves, and its key."""

from llmring_adapters.transparency.local_key import LocalLogKey
from llmring_core.transparency import RECEIPT, Leaf, commitment_to

SIGNER = LocalLogKey("example.com/log", bytes(range(32)))
SALT = b"\xff" * 32


def leaf(number: int, kind: str = RECEIPT) -> Leaf:
    content = f"content {number}".encode()
    return Leaf(
        id=f"00000000-0000-7000-8000-{number:012d}",
        kind=kind,
        commitment=commitment_to(kind, SALT, content),
    )


def leaves(first: int, end: int) -> list[Leaf]:
    return [leaf(number) for number in range(first, end)]
