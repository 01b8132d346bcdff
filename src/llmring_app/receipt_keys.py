"""The key that signs receipts: from the settings, or from a file made on the first start."""

from pathlib import Path

from llmring_adapters.receipts.local_key import LocalReceiptKey
from llmring_app.errors import CannotStart
from llmring_app.key_files import seed_in, seed_of
from llmring_app.places import beside_database
from llmring_app.settings import Settings, variable
from llmring_core.ids import NewSecret
from llmring_core.receipts import BadKey, base64url

FILE = "llmring-receipts.key"


def receipt_key(settings: Settings, new_secret: NewSecret) -> LocalReceiptKey:
    """Return the key in force. Raises CannotStart."""
    if settings.receipts_private_key_b64 is not None:
        source = variable("receipts_private_key_b64")
        seed = seed_of(settings.receipts_private_key_b64, source)
    else:
        source = f"the key file {key_file(settings)}"
        seed = seed_in(key_file(settings), new_secret)
    try:
        key = LocalReceiptKey(seed, settings.receipts_key_id)
    except BadKey as error:
        raise CannotStart(f"{source} is no signing key: {error}") from error
    stated = settings.receipts_public_key_b64
    if stated is not None and stated.rstrip("=") != base64url(key.public_key):
        raise CannotStart(
            f"{variable('receipts_public_key_b64')} is not the public half of {source}"
        )
    return key


def key_file(settings: Settings) -> Path:
    if settings.receipts_key_file is not None:
        return Path(settings.receipts_key_file)
    return beside_database(settings, FILE)
