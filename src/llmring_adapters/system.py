"""This machine's clock and randomness."""

import os
import secrets
from datetime import UTC, datetime
from time import time_ns


def utc_now() -> datetime:
    return datetime.now(UTC)


def time_ordered_id() -> str:
    """Return a fresh UUIDv7 in canonical 36-character form. Source: RFC 9562 section 5.7."""
    milliseconds = time_ns() // 1_000_000
    entropy = int.from_bytes(os.urandom(10))
    value = (milliseconds & (1 << 48) - 1) << 80 | entropy
    value = value & ~(0xF << 76) | 7 << 76  # version
    value = value & ~(0x3 << 62) | 2 << 62  # variant
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def random_secret() -> bytes:
    """Return 32 unpredictable bytes."""
    return secrets.token_bytes(32)
