"""Having receipts issued for calls together, beside the calls."""

import logging
from collections import deque
from typing import Final

from llmring_core.gateway.certifying import AT_ONCE, Certifier, CertifyCalls
from llmring_core.usage import UsageRecord

MAX_WAITING: Final = 10_000  # calls; those beyond are found as missed

log = logging.getLogger(__name__)


class BufferedCertifier(Certifier):
    """Calls wait in memory for ``flush``. It tries once: what fails is found as missed later."""

    def __init__(self, certify: CertifyCalls, max_waiting: int = MAX_WAITING) -> None:
        self._certify = certify
        self._max_waiting = max_waiting
        self._waiting = deque[UsageRecord]()
        self.failed = 0  # calls whose receipts could not be issued at once

    @property
    def waiting(self) -> int:
        """How many calls wait for their receipts."""
        return len(self._waiting)

    def certify(self, record: UsageRecord) -> None:
        if len(self._waiting) < self._max_waiting:
            self._waiting.append(record)
        else:
            self.failed += 1

    async def flush(self) -> None:
        """Have the receipts issued. Raises Unavailable; then the calls are let go of."""
        while self._waiting:
            together = [self._waiting.popleft() for _ in range(min(AT_ONCE, self.waiting))]
            try:
                refusals = await self._certify(together)
            except Exception:
                self.failed += len(together) + self.waiting
                self._waiting.clear()
                raise
            self.failed += len(refusals)
            for refusal in refusals:
                log.error("a call can have no receipt: %s", refusal)
