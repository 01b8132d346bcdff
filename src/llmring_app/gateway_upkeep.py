"""What the gateway does beside the calls, while the server runs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from llmring_app.container import Container
from llmring_core.errors import LLMRingError
from llmring_core.gateway.certifying import CertifyMissed
from llmring_core.ids import ProjectId

WRITE_S = 1.0  # uses of tokens are written down, and what ended is forgotten, so late
CLOSE_S = 15.0  # between renewals of leases; several have to fail before one runs out
LAPSE_S = 30.0
MISSED_S = 60.0

Chore = Callable[[], Awaitable[object]]

log = logging.getLogger(__name__)


@asynccontextmanager
async def gateway_kept(container: Container) -> AsyncIterator[None]:
    """Write down uses of tokens, and close what crashes left, beside what the block does."""
    tally, journal, certifier = container.tally(), container.journal(), container.certifier()
    missed = Missed(container.certify_missed())
    chores = [
        _every(WRITE_S, tally.flush, "uses of tokens are not counted"),
        _every(WRITE_S, journal.flush, "calls that ended are still written down as under way"),
        _every(CLOSE_S, lambda: closed(container), "lost calls are not closed"),
        _every(LAPSE_S, container.lapse_holds(), "budgets of lost calls are not let go of"),
        _every(LAPSE_S, container.record_left_out(), "refusals left out are not told of"),
        _every(WRITE_S, certifier.flush, "receipts of calls are issued late"),
        _every(MISSED_S, missed.certify, "receipts that are missing are not issued"),
    ]
    tasks = [asyncio.create_task(chore) for chore in chores]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await container.charges().close()
        await at_last(tally.flush, "some uses of tokens were not counted")
        await at_last(container.record_left_out(), "some refusals are nowhere told of")
        await at_last(journal.close, "some calls stay written down as under way")


class Missed:
    """Calls without a receipt, and how far they were looked for."""

    def __init__(self, certify_missed: CertifyMissed) -> None:
        self._certify_missed = certify_missed
        self._since: dict[ProjectId, datetime] = {}

    async def certify(self) -> None:
        """Issue what is missing. Raises Unavailable; then it is looked for again."""
        self._since = await self._certify_missed(self._since)


async def closed(container: Container) -> None:
    """Close what other servers lost. What this one has under way is renewed just before."""
    await container.journal().renew()
    lost = await container.close_lost_attempts()()
    container.measures().lost_attempts += lost


async def _every(seconds: float, chore: Chore, otherwise: str) -> None:
    """Do ``chore`` now and again; where it cannot be done, say what follows."""
    said = False  # one outage is one line
    while True:
        try:
            await chore()
            said = False
        except LLMRingError as error:
            if not said:
                log.warning("%s for now: %s", otherwise, error)
            said = True
        except Exception:  # a bug here must not end it
            log.exception(otherwise)
        await asyncio.sleep(seconds)


async def at_last(chore: Chore, otherwise: str) -> None:
    """Do ``chore``; where it cannot be done, say what follows."""
    try:
        await chore()
    except LLMRingError as error:
        log.warning("%s: %s", otherwise, error)
