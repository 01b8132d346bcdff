"""Counting what need not be exact, beside the calls."""

from datetime import datetime

from llmring_core.errors import Unavailable
from llmring_core.gateway import GatewayWork, Tally, Uses
from llmring_core.ids import TokenId
from llmring_core.transactions import Begin


class BufferedTally(Tally):
    """Adds up in memory, one entry per token, until ``flush`` writes it down."""

    def __init__(self, begin: Begin[GatewayWork]) -> None:
        self._begin = begin
        self._uses: dict[TokenId, Uses] = {}

    def add(self, token: TokenId, at: datetime) -> None:
        self._add(token, Uses(count=1, last_at=at))

    def add_hit(self, token: TokenId, at: datetime) -> None:
        self._add(token, Uses(count=0, last_at=at, hits=1))

    async def flush(self) -> None:
        """Write down what was counted. Raises Unavailable; then it stays counted."""
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            async with self._begin() as work:
                await work.tokens.count(uses)
        except Unavailable:
            for token, used in uses.items():
                self._add(token, used)
            raise

    def _add(self, token: TokenId, used: Uses) -> None:
        before = self._uses.get(token)
        if before is not None:
            last_at = max(before.last_at, used.last_at)
            used = Uses(
                count=before.count + used.count, last_at=last_at, hits=before.hits + used.hits
            )
        self._uses[token] = used
