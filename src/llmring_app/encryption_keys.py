"""The keys that providers' keys are encrypted with: from the settings, or from a file."""

from base64 import b64decode
from binascii import Error as NotBase64
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Final

from llmring_adapters.gateway.vault import LocalVault
from llmring_app.errors import CannotStart
from llmring_app.key_files import SECRET_BYTES, replace_seed, seeds_in
from llmring_app.places import beside_database
from llmring_app.settings import Settings, variable
from llmring_core.ids import NewSecret

FILE: Final = "llmring-encryption.key"
MARKING: Final = b"llmring cache"
URL_SAFE: Final = str.maketrans("-_", "+/")


def vault_of(settings: Settings, new_secret: NewSecret) -> LocalVault:
    """Return what encrypts for the store; the file is made on first need. Raises CannotStart."""
    return LocalVault(partial(encryption_keys, settings, new_secret))


def encryption_keys(settings: Settings, new_secret: NewSecret) -> list[bytes]:
    """Return the keys, the one in force first. Raises CannotStart."""
    if settings.encryption_key is None:
        return seeds_in(key_file(settings), new_secret)
    return [_key_of(text) for text in settings.encryption_key.split(",")]


def marking_key(settings: Settings, new_secret: NewSecret) -> bytes:
    """Return what answers in a shared cache are marked with. Raises CannotStart.

    Made of the encryption key in force, from which nobody leads back to that: BLAKE2b, keyed with
    it, of nothing, personalised for this purpose.
    """
    key = encryption_keys(settings, new_secret)[0]
    return blake2b(key=key, person=MARKING, digest_size=SECRET_BYTES).digest()


def add_encryption_key(settings: Settings, new_secret: NewSecret) -> None:
    """Put a new key in force; those before it still open. Raises CannotStart."""
    if settings.encryption_key is not None:
        return  # the operator put a new one before the others, in the environment
    keys = encryption_keys(settings, new_secret)
    replace_seed(key_file(settings), new_secret(), *keys)


def key_file(settings: Settings) -> Path:
    if settings.encryption_key_file is not None:
        return Path(settings.encryption_key_file)
    return beside_database(settings, FILE)


def _key_of(text: str) -> bytes:
    """Read 32 bytes as base64, of either alphabet, padded or not. Raises CannotStart."""
    try:
        key = b64decode(text.translate(URL_SAFE).rstrip("=") + "=", validate=True)
    except (NotBase64, ValueError):
        key = b""
    if len(key) != SECRET_BYTES:
        raise CannotStart(f"{variable('encryption_key')} must hold 32 bytes as base64")
    return key
