"""What a caller gets of an answer: all of it, or less the frame that only the meter asked for."""

from collections.abc import Sequence

from llmring_core.gateway.dialects import WithoutUsageFrame

EVENT_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")


class Shown:
    """An answer as its caller gets it."""

    def __init__(self, *, hides_usage: bool) -> None:
        self._without = WithoutUsageFrame() if hides_usage else None
        self._last = b""  # bytes, as many as can end an event

    def headers(self, headers: list[tuple[bytes, bytes]]) -> Sequence[tuple[bytes, bytes]]:
        """Return them without a length that may be too much."""
        if self._without is None:
            return headers
        return [pair for pair in headers if pair[0] != b"content-length"]

    def piece(self, piece: bytes) -> bytes:
        """Return what the caller gets now; maybe nothing."""
        return self._given(piece if self._without is None else self._without.feed(piece))

    def rest(self) -> bytes:
        """Return what is left at the end, also at one that comes too early."""
        return self._given(b"" if self._without is None else self._without.finish())

    @property
    def is_between_frames(self) -> bool:
        """Whether an event of a stream has just ended, or none has begun."""
        return not self._last or self._last.endswith(EVENT_ENDS)

    def _given(self, piece: bytes) -> bytes:
        self._last = piece[-4:] if len(piece) >= 4 else (self._last + piece)[-4:]
        return piece
