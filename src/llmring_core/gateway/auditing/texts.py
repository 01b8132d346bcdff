"""What of a text from outside may be kept for good."""

import re
from string import ascii_lowercase, ascii_uppercase
from typing import Final

SECRET: Final = re.compile(r"(?<![A-Za-z0-9])(sk-|AIza|Bearer )[A-Za-z0-9_.-]{12,}")
UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_LOWER: Final = str.maketrans(ascii_uppercase, ascii_lowercase)


def clean(text: str) -> str:
    """Return ``text`` without what cannot be seen and what looks like a secret."""
    return SECRET.sub(r"\1***", UNSEEN.sub("?", text))


def brief(text: str | None, most: int) -> str | None:
    """Return at most ``most`` characters of ``text``, clean; None when there are none."""
    return clean(text)[:most] or None if text else None


def folded(text: str) -> str:
    """Return ``text`` with A to Z in lower case, which every backend can do alike."""
    return text.translate(_LOWER)
