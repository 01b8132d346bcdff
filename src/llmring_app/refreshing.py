"""Keeping the price list fresh while the server runs."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from secrets import SystemRandom

from llmring_app.container import Container
from llmring_app.measures import Measures
from llmring_core.errors import LLMRingError
from llmring_core.registry import KeepRegistryCurrent

JITTER = 0.1  # of the interval: servers that started together do not ask together

log = logging.getLogger(__name__)


@asynccontextmanager
async def kept_fresh(container: Container) -> AsyncIterator[None]:
    """Refresh the registry at once and then regularly, beside whatever the block does."""
    every_s = container.settings().registry_refresh_s
    if not every_s:
        yield
        return
    task = asyncio.create_task(
        _refresh_regularly(container.keep_registry_current(), every_s, container.measures())
    )
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _refresh_regularly(
    refresh: KeepRegistryCurrent, every_s: int, measures: Measures
) -> None:
    while True:
        measures.refreshes += 1
        measures.failed_refreshes += not await _refreshed(refresh)
        await asyncio.sleep(every_s * SystemRandom().uniform(1 - JITTER, 1 + JITTER))


async def _refreshed(refresh: KeepRegistryCurrent) -> bool:
    """Tell whether the registry in force is the newest there is; if not, the log says why."""
    try:
        status = await refresh()
    except LLMRingError as error:
        log.warning("the registry was not refreshed: %s", error)
        return False
    except Exception:  # a bug here must not cost us the price list we have
        log.exception("the registry was not refreshed")
        return False
    if status.stale:
        log.warning("registry %s stays in force: %s", status.version, status.error)
    return not status.stale
