"""Rule: how a signature is written and checked. Source: RFC 8032, verified as libsodium does."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

from nacl.bindings import crypto_core_ed25519_is_valid_point
from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

from llmring_core.receipts.errors import BadKey, BadSignature

PREFIX = "ed25519:"
SIGNATURE = re.compile(r"ed25519:([A-Za-z0-9_-]{86})")


def base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def signature_text(raw: bytes) -> str:
    """Write a 64-byte signature: ``ed25519:`` and base64url without padding."""
    return PREFIX + base64url(raw)


def raw_signature(text: object) -> bytes:
    """Read a signature in its one spelling. Raises BadSignature."""
    match = SIGNATURE.fullmatch(text) if isinstance(text, str) else None
    raw = urlsafe_b64decode(match[1] + "==") if match else b""
    if match is None or base64url(raw) != match[1]:
        raise BadSignature("a signature must read ed25519:<base64url of 64 bytes, no padding>")
    return raw


def sign(message: bytes, key: SigningKey) -> str:
    return signature_text(key.sign(message).signature)


def verify(message: bytes, signature: object, public_key: bytes) -> None:
    """Check that ``public_key`` (32 bytes) signed ``message``. Raises BadSignature."""
    try:
        VerifyKey(public_key).verify(message, raw_signature(signature))
    except (CryptoError, ValueError) as error:
        raise BadSignature("the signature does not match the receipt") from error


def public_key_of(seed: bytes) -> bytes:
    """Return the 32-byte public half of a seed. Raises BadKey."""
    if len(seed) != 32:
        raise BadKey("a signing key must have 32 bytes")
    return checked_public_key(bytes(SigningKey(seed).verify_key))


def checked_public_key(raw: bytes) -> bytes:
    """Return ``raw`` when it is a point that an honest signer could have. Raises BadKey."""
    if len(raw) != 32 or not crypto_core_ed25519_is_valid_point(raw):
        raise BadKey("a public key must be an Ed25519 point of full order, 32 bytes")
    return raw
