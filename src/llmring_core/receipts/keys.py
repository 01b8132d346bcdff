"""Rule: what a key is called, and the forms in which its public half is published."""

from base64 import b64encode
from hashlib import sha256

from llmring_core.receipts.model import KeyId
from llmring_core.receipts.signing import base64url, checked_public_key

SPKI = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: what precedes the 32 bytes


def key_id_of(raw: bytes) -> KeyId:
    """Return the name a key has unless somebody gave it another, as historic servers made it."""
    return KeyId(f"key_{sha256(base64url(checked_public_key(raw)).encode()).hexdigest()[:16]}")


def pem_of(raw: bytes) -> str:
    body = b64encode(SPKI + raw).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"


def jwk_of(raw: bytes) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "x": base64url(raw)}
