"""Rule: what stands in the log for something it does not reveal."""

from hashlib import sha256
from typing import Final

from msgspec import Struct

SALT_BYTES: Final = 32
RECEIPT: Final = "receipt"
STATEMENT: Final = "statement"


class Leaf(Struct, frozen=True, kw_only=True):
    """An entry of the log: a commitment to some content, which only whoever has both can open."""

    id: str  # UUID; whoever is committed to keeps it
    kind: str  # what the content is
    commitment: bytes  # 32 bytes


def commitment_to(kind: str, salt: bytes, content: bytes) -> bytes:
    """Return the 32 bytes that stand for ``content``; nobody can guess it without ``salt``."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes")
    return sha256(b"llmring.log/v1 " + kind.encode() + b"\n" + salt + content).digest()
