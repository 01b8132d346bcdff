"""This machine's clock and randomness."""

import os
import secrets
from datetime import UTC, datetime
from random import Random
from time import time_ns

# Ids are unique, not secret: a generator in the process is enough, and asks the kernel nothing.
# Seeded anew in a forked child, which would otherwise repeat its parent's ids.
_entropy = Random()  # noqa: S311
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_entropy.seed)


def utc_now() -> datetime:
    return datetime.now(UTC)


def time_ordered_id() -> str:
    """Return a fresh UUIDv7 in canonical 36-character form. Source: RFC 9562 section 5.7."""
    milliseconds = time_ns() // 1_000_000 & (1 << 48) - 1
    value = milliseconds << 80 | _entropy.getrandbits(80)
    value = value & ~(0xF << 76) | 7 << 76  # version
    value = value & ~(0x3 << 62) | 2 << 62  # variant
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def random_secret() -> bytes:
    """Return 32 unpredictable bytes."""
    return secrets.token_bytes(32)
