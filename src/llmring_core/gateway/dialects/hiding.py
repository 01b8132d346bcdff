"""Rule: a chat stream without the frame that only its meter asked for. All other bytes stay."""

import re
from typing import Final

from llmring_core.gateway.dialects.frames import SseFrames
from llmring_core.gateway.dialects.usage_frame import is_usage_frame

MAX_HELD: Final = 16 * 1024  # bytes; the frame to be taken out has some hundred
# In JSON these bytes are never part of a text, because a quote in one comes after a backslash.
_HAS_CHOICES: Final = re.compile(rb'"choices"\s*:\s*\[\s*[^\s\]]')


class WithoutUsageFrame:
    """Lets a stream through, and holds back only what may yet become that frame."""

    def __init__(self) -> None:
        self._frames = SseFrames(MAX_HELD)

    def feed(self, piece: bytes) -> bytes:
        """Return what the caller gets now; maybe nothing."""
        kept = [frame.raw for frame in self._frames.feed(piece) if not is_usage_frame(frame)]
        if _HAS_CHOICES.search(self._frames.held):
            kept.append(self._frames.let_go())
        return b"".join(kept)

    def finish(self) -> bytes:
        """Return what is left when the stream has ended, or broken off."""
        return b"".join(frame.raw for frame in self._frames.finish() if not is_usage_frame(frame))
