"""This machine's clock and randomness."""

import os
import secrets
from datetime import UTC, datetime
from random import Random
from time import time_ns

# Ids are unique, not secret: a generator in the process is enough, and asks the kernel nothing.
# Seeded anew in a forked child, which would otherwise repeat its parent's ids.
_entropy = Random()  # noqa: S311
_bits = _entropy.getrandbits
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_entropy.seed)


def utc_now() -> datetime:
    return datetime.now(UTC)


def time_ordered_id() -> str:
    """Return a fresh UUIDv7 in canonical 36-character form. Source: RFC 9562 section 5.7."""
    now = time_ns() // 1_000_000  # 48 bits until the year 10889
    version, variant = 0x7000 | _bits(12), 0x8000 | _bits(14)
    return f"{now >> 16:08x}-{now & 0xFFFF:04x}-{version:04x}-{variant:04x}-{_bits(48):012x}"


def random_secret() -> bytes:
    """Return 32 unpredictable bytes."""
    return secrets.token_bytes(32)
