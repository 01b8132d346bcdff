"""The key that signs the transparency log's checkpoints, and the name of the log."""

from hashlib import sha256
from pathlib import Path

from llmring_adapters.transparency.local_key import LocalLogKey
from llmring_app.errors import CannotStart
from llmring_app.key_files import seed_in
from llmring_app.places import beside_database
from llmring_app.settings import Settings
from llmring_core.ids import NewSecret
from llmring_core.receipts import public_key_of
from llmring_core.transactions import Begin
from llmring_core.transparency import (
    BadNote,
    LogSigner,
    LogWork,
    UnsignedCheckpoint,
    verified_checkpoint,
)

FILE = "llmring-log.key"


def log_key(settings: Settings, new_secret: NewSecret) -> LocalLogKey:
    """Return the log's key, made on the first start. Raises CannotStart."""
    named = settings.log_key_file
    file = beside_database(settings, FILE) if named is None else Path(named)
    seed = seed_in(file, new_secret)
    name = settings.log_origin or f"llmring-{sha256(public_key_of(seed)).hexdigest()[:16]}"
    return LocalLogKey(name, seed)


async def check_log_key(begin: Begin[LogWork], signer: LogSigner) -> None:
    """Raises CannotStart when the log so far was signed by another key, or under another name."""
    async with begin() as work:
        newest = await work.log.newest()
    if newest is None:
        return
    try:
        verified_checkpoint(newest.note, signer.key)
    except (BadNote, UnsignedCheckpoint) as error:
        raise CannotStart(
            f"the transparency log in this database is not that of {signer.key.name}: give every "
            "server the key file and LLMRING_LOG_ORIGIN it was begun with"
        ) from error
