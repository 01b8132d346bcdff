"""A log's key, and a witness's, in this process."""

from nacl.signing import SigningKey

from llmring_core.transparency import (
    COSIGNED,
    SIGNED,
    LogSigner,
    NoteKey,
    SignatureLine,
    WitnessSigner,
    cosignature_of,
    signature_of,
)


class LocalLogKey(LogSigner):
    def __init__(self, origin: str, seed: bytes) -> None:
        """``origin`` names the log to everybody, ``seed`` is 32 secret bytes."""
        self._seed = seed
        public_key = bytes(SigningKey(seed).verify_key)
        self._key = NoteKey(name=origin, kind=SIGNED, public_key=public_key)

    @property
    def key(self) -> NoteKey:
        return self._key

    def sign(self, text: str) -> SignatureLine:
        return signature_of(text, self._key.name, self._seed)


class LocalWitnessKey(WitnessSigner):
    def __init__(self, name: str, seed: bytes) -> None:
        """``name`` names the witness to everybody, ``seed`` is 32 secret bytes."""
        self._seed = seed
        public_key = bytes(SigningKey(seed).verify_key)
        self._key = NoteKey(name=name, kind=COSIGNED, public_key=public_key)

    @property
    def key(self) -> NoteKey:
        return self._key

    def cosign(self, text: str, time_s: int) -> SignatureLine:
        return cosignature_of(text, self._key.name, self._seed, time_s)
