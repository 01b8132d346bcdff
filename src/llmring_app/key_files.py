"""Private keys in files: made once, readable by this user only, never printed."""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from pathlib import Path
from stat import S_IMODE

from llmring_app.errors import CannotStart
from llmring_core.ids import NewSecret

SECRET_BYTES = 32
OTHERS = 0o077  # what group and others may do


def seed_in(file: Path, new_secret: NewSecret) -> bytes:
    """Return the 32 bytes that ``file`` holds as base64url; make it where there is none.

    Raises: CannotStart when it cannot be read or made, is malformed, or others may read it.
    """
    return seed_of(_text_in(file, new_secret), f"the key file {file}")


def seeds_in(file: Path, new_secret: NewSecret) -> list[bytes]:
    """Return the keys that ``file`` holds, one in a line; make it with one where there is none.

    Raises: CannotStart, as ``seed_in`` does.
    """
    lines = _text_in(file, new_secret).split() or [""]
    return [seed_of(line, f"each line of the key file {file}") for line in lines]


def _text_in(file: Path, new_secret: NewSecret) -> str:
    try:
        _make(file, new_secret())
        text, mode = file.read_text("ascii").strip(), S_IMODE(file.stat().st_mode)
    except (OSError, UnicodeDecodeError) as error:
        reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else "no text"
        raise CannotStart(f"the key file {file} cannot be used: {reason}") from error
    if mode & OTHERS:
        raise CannotStart(f"the key file {file} can be read by others; run chmod 600 {file}")
    return text


def seed_of(text: str, source: str) -> bytes:
    """Read 32 bytes as base64url, padded or not. Raises CannotStart, naming ``source`` only."""
    try:
        seed = urlsafe_b64decode(text.rstrip("=") + "=")
    except (NotBase64, ValueError):
        seed = b""
    if len(seed) != SECRET_BYTES:
        raise CannotStart(f"{source} must hold {SECRET_BYTES} bytes as base64url")
    return seed


def replace_seed(file: Path, *seeds: bytes) -> None:
    """Put another key into ``file``, or several, whole or not at all. Raises CannotStart."""
    try:
        beside = _written(file, *seeds)
        beside.replace(file)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise CannotStart(f"the key file {file} cannot be written: {reason}") from error


def _make(file: Path, seed: bytes) -> None:
    """Write ``seed`` into a new file, whole or not at all, unless there is a file already."""
    if file.exists():
        return
    beside = _written(file, seed)
    try:
        os.link(beside, file)  # fails when another server was faster: its key is the one
    except FileExistsError:
        return
    finally:
        beside.unlink()


def _written(file: Path, *seeds: bytes) -> Path:
    """Write ``seeds`` into a file of its own beside ``file``, and return that one."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as new:
        new.writelines(urlsafe_b64encode(seed).rstrip(b"=") + b"\n" for seed in seeds)
        new.flush()
        os.fsync(new.fileno())
    return beside
