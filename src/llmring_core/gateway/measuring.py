"""What is counted of calls, for whoever runs the gateway."""

from decimal import Decimal
from typing import Protocol

from llmring_core.usage import AttemptStatus, Tokens


class GatewayMeasures(Protocol):
    """Counts. It never fails and never waits; what became of calls as far as the cache goes is
    counted by ``CacheMeasures``.
    """

    def answered(self, status: int) -> None:
        """Count an answer at ``/v1``, whoever gave it: a provider, the cache, or a refusal here."""

    def attempted(
        self,
        provider: str,
        outcome: AttemptStatus,
        *,
        tokens: Tokens,
        cost_usd: Decimal | None,
        first_byte_s: float | None,
        duration_s: float,
    ) -> None:
        """Count a call to a provider that has ended, however it did.

        ``provider`` is a name of the configuration. Seconds are from when it was asked: until the
        head of its answer (None: none came), and until the end.
        """
