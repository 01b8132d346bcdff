"""What counting tokens without a provider needs."""

from collections.abc import Sequence
from typing import Protocol


class TokenCounter(Protocol):
    """Counts as a model's own vocabulary does, or the nearest that is at hand."""

    def count(self, model: str, texts: Sequence[str]) -> int:
        """Return the tokens of ``texts`` together. Computes for long: not on an event loop."""
