"""Rule: an answer is kept whole or not at all."""

MAX_PIECES = 16_384  # of one answer; each costs memory besides its bytes


class Capture:
    """Collects an answer's body as it passes, within a bound."""

    __slots__ = ("_length", "_max_bytes", "_pieces", "_size")

    def __init__(self, max_bytes: int, length: int | None) -> None:
        """``length`` is what was announced, in bytes; None when nothing was."""
        self._max_bytes = max_bytes
        self._length = length
        self._pieces: list[bytes] | None = []
        self._size = 0

    @property
    def is_over(self) -> bool:
        """Tell whether it has grown too large, and nothing of it is held any more."""
        return self._pieces is None

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        if self._pieces is None or not piece:
            return
        self._size += len(piece)
        if self._size > self._max_bytes or len(self._pieces) >= MAX_PIECES:
            self._pieces = None
        else:
            self._pieces.append(bytes(piece))

    def finished(self, whole: bool) -> tuple[bytes, ...] | None:
        """Return the body's pieces; None when it is not all there, or was too large.

        ``whole`` tells whether the connection ended the answer as it should, with the marker that
        its dialect ends streams with, and without an error inside.
        """
        is_complete = whole and self._length in (None, self._size)
        return tuple(self._pieces) if is_complete and self._pieces is not None else None
