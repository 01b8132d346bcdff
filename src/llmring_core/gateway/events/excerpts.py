"""Rule: of a body, an event has the beginning."""

from typing import Final

from msgspec import Struct

MAX_PIECES: Final = 16_384  # of one body; each costs memory besides its bytes


class ExcerptLimits(Struct, frozen=True, kw_only=True):
    """How much of each body an event has, in bytes."""

    request_bytes: int = 64 * 1024
    response_bytes: int = 256 * 1024


class Excerpt:
    """Collects the beginning of a body as it passes."""

    __slots__ = ("_pieces", "_room", "is_truncated")

    def __init__(self, max_bytes: int) -> None:
        self._pieces: list[bytes] = []
        self._room = max_bytes
        self.is_truncated = False  # whether more came than is kept

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        if self.is_truncated or not piece:
            return
        self.is_truncated = len(piece) > self._room or len(self._pieces) >= MAX_PIECES
        kept = bytes(piece[: self._room])
        self._room -= len(kept)
        self._pieces.append(kept)

    def taken(self) -> bytes:
        """Return what is kept so far."""
        return b"".join(self._pieces)
