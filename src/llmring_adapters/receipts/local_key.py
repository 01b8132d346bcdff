"""A signing key in this process."""

from nacl.signing import SigningKey

from llmring_core.receipts import KeyId, ReceiptSigner, key_id_of, public_key_of, sign


class LocalReceiptKey(ReceiptSigner):
    def __init__(self, seed: bytes, key_id: str | None = None) -> None:
        """``seed`` is 32 secret bytes. Raises BadKey."""
        self._key = SigningKey(seed)
        self._public_key = public_key_of(seed)
        self._key_id = KeyId(key_id) if key_id else key_id_of(self._public_key)

    @property
    def key_id(self) -> KeyId:
        return self._key_id

    @property
    def public_key(self) -> bytes:
        return self._public_key

    def sign(self, message: bytes) -> str:
        return sign(message, self._key)
