"""What the gateway does beside the calls, while the server runs."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from llmring_app.container import Container
from llmring_core.errors import LLMRingError

EVERY_S = 1.0  # what unlimited tokens were used for is written down, and seen, so late
LAPSE_EVERY = 30  # of those turns

log = logging.getLogger(__name__)


@asynccontextmanager
async def gateway_kept(container: Container) -> AsyncIterator[None]:
    """Write down what was counted and let go of lost holds, beside whatever the block does."""
    task = asyncio.create_task(_keep(container))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await container.charges().close()
        try:
            await container.tally().flush()
            await container.record_left_out()()
        except LLMRingError as error:
            log.warning("some uses of tokens were not counted: %s", error)


async def _keep(container: Container) -> None:
    tally, lapse = container.tally(), container.lapse_holds()
    record_left_out = container.record_left_out()
    turn, said = 0, False  # one outage is one line
    while True:
        await asyncio.sleep(EVERY_S)
        turn += 1
        try:
            await tally.flush()
            if turn % LAPSE_EVERY == 0:
                await lapse()
                await record_left_out()
            said = False
        except LLMRingError as error:
            if not said:
                log.warning("uses of tokens are not counted for now: %s", error)
            said = True
        except Exception:  # a bug here must not end it
            log.exception("uses of tokens were not counted")
