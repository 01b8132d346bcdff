"""Who watches this log, as the settings say it, and what a witness is told and made of."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from llmring_adapters.system import random_secret
from llmring_adapters.transparency.local_key import LocalWitnessKey
from llmring_app.errors import CannotStart
from llmring_app.key_files import seed_in
from llmring_core.receipts import public_key_of
from llmring_core.transparency import COSIGNED, SIGNED, BadNote, NoteKey, note_key


def witness_in(text: str) -> tuple[str, NoteKey]:
    """Read ``URL=KEY``. Raises ValueError when it is no such pair, or no witness's key."""
    url, _, key_text = text.partition("=")
    _ = urlsplit(url).port
    try:
        key = note_key(key_text)
    except BadNote as error:
        raise ValueError(str(error)) from error
    if key.kind != COSIGNED:
        raise ValueError("it is not the key of a witness")
    return url, key


def witness_key(file: Path, name: str | None) -> LocalWitnessKey:
    """Return a witness's key, made on the first start. Raises CannotStart."""
    seed = seed_in(file, random_secret)
    made_up = f"llmring-witness-{sha256(public_key_of(seed)).hexdigest()[:16]}"
    try:
        return LocalWitnessKey(name or made_up, seed)
    except BadNote as error:
        raise CannotStart(f"--name cannot be used: {error}") from error


def log_keys_in(texts: Sequence[str]) -> list[NoteKey]:
    """Read the keys of the logs to watch. Raises CannotStart."""
    keys = []
    for text in texts:
        try:
            key = note_key(text)
        except BadNote as error:
            raise CannotStart(f"--log cannot be used: {error}") from error
        if key.kind != SIGNED:
            raise CannotStart("--log must be the key of a log, as /log/public-key shows it")
        keys.append(key)
    return keys
