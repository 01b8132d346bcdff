"""Secrets encrypted by this process: XChaCha20-Poly1305, under keys that can be replaced."""

from collections.abc import Callable, Sequence
from hashlib import sha256

from nacl.exceptions import CryptoError
from nacl.secret import Aead

from llmring_core.gateway import CannotUnseal, Sealed, Vault


class LocalVault(Vault):
    def __init__(self, read_keys: Callable[[], Sequence[bytes]]) -> None:
        """``read_keys`` returns keys of 32 bytes, the one in force first; earlier ones still open.

        It is asked again when something was sealed with a key that came later, so that servers go
        on while the key is replaced.
        """
        self._read_keys = read_keys
        self._keys = self._read()

    def seal(self, secret: str, place: str) -> Sealed:
        key_id, key = next(iter(self._keys.items()))
        return Sealed(key_id=key_id, box=bytes(key.encrypt(secret.encode(), place.encode())))

    def unseal(self, sealed: Sealed, place: str) -> str:
        if sealed.key_id not in self._keys:
            self._keys = self._read()
        key = self._keys.get(sealed.key_id)
        if key is None:
            raise CannotUnseal
        try:
            return key.decrypt(sealed.box, place.encode()).decode()
        except CryptoError as error:
            raise CannotUnseal from error

    def _read(self) -> dict[str, Aead]:
        return {encryption_key_id(key): Aead(key) for key in self._read_keys()}


def encryption_key_id(key: bytes) -> str:
    """Return what a key is called beside what it sealed; it gives nothing away."""
    return f"enc_{sha256(b'llmring encryption key' + key).hexdigest()[:16]}"
