"""Rule: what an API key looks like, how it is stored, and what of it may be shown."""

from datetime import datetime
from hashlib import sha256
from zlib import crc32

from llmring_core.accounts.model import ApiKey
from llmring_core.ids import ApiKeyId, ProjectId

PREFIX = "llmr_pk_"
MAX_LENGTH = 255  # characters; historic clients bring keys of their own

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_DIGITS = 43  # 62^43 > 2^256
_CHECK_DIGITS = 6  # 62^6 > 2^32
_SHOWN_DIGITS = 4
_LONG_ENOUGH_TO_SHOW = 24  # characters; four of fewer would give too much away


def key_of(secret: bytes) -> str:
    """Return ``llmr_pk_``, 43 base-62 digits of ``secret`` (32 bytes), ``_``, 6 of its CRC-32."""
    body = _base62(int.from_bytes(secret), _SECRET_DIGITS)
    return f"{PREFIX}{body}_{_base62(crc32(body.encode()), _CHECK_DIGITS)}"


def digest_of(key: str) -> str:
    """Return what a key is stored and found as: its SHA-256 in hex.

    A plain hash is enough: our keys carry 256 random bits, nothing to guess.
    """
    return sha256(key.encode()).hexdigest()


def kept(key: str, id: ApiKeyId, project: ProjectId, at: datetime) -> ApiKey:
    """Return what is stored of ``key``, made at ``at`` (UTC)."""
    return ApiKey(
        id=id,
        project=project,
        digest=digest_of(key),
        shown=shown(key),
        created_at=at,
        revoked_at=None,
    )


def shown(key: str) -> str:
    """Return the form of a key that lists may print."""
    tail = key[-_SHOWN_DIGITS:] if len(key) >= _LONG_ENOUGH_TO_SHOW else ""
    return f"{PREFIX if key.startswith(PREFIX) else ''}…{tail}"


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))
