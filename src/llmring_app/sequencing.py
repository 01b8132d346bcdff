"""Taking waiting entries into the transparency log, while the server runs."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from llmring_app.container import Container
from llmring_core.errors import LLMRingError
from llmring_core.transparency import ContinueLog

EVERY_S = 0.5  # a receipt can be proved after at most a second

log = logging.getLogger(__name__)


@asynccontextmanager
async def log_continued(container: Container) -> AsyncIterator[None]:
    """Continue the log at once and then regularly, beside whatever the block does."""
    task = asyncio.create_task(_continue_regularly(container.continue_log(), container.grown()))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _continue_regularly(continue_log: ContinueLog, grown: asyncio.Condition) -> None:
    said = False  # one outage is one line
    while True:
        try:
            while await continue_log():
                async with grown:
                    grown.notify_all()
            said = False
        except LLMRingError as error:
            if not said:
                log.warning("the transparency log does not go on for now: %s", error)
            said = True
        except Exception:  # a bug here must not end the log
            log.exception("the transparency log was not continued")
        await asyncio.sleep(EVERY_S)
