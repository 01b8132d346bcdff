"""Writing the gateway's events to a file while the server runs."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from llmring_adapters.gateway.event_file import EventFile
from llmring_adapters.gateway.events_memory import Subscription
from llmring_app.container import Container

LISTENER = "file"
MOST_AT_ONCE = 100  # events
CLOSE_S = 5.0  # for the last ones

log = logging.getLogger(__name__)


@asynccontextmanager
async def events_kept(container: Container) -> AsyncIterator[None]:
    """Write events down beside whatever the block does; in the end, let every listener finish."""
    file, bus = container.event_file(), container.events()
    writing = None
    if file is not None:
        writing = asyncio.create_task(_write_down(bus.subscribe(LISTENER), file))
    try:
        yield
    finally:
        await bus.close(CLOSE_S)
        if writing is not None:
            writing.cancel()
            with suppress(asyncio.CancelledError):
                await writing


async def _write_down(events: Subscription, file: EventFile) -> None:
    """Write in a thread: a disk that is slow keeps no call waiting."""
    try:
        while some := await events.take(MOST_AT_ONCE):
            try:
                await asyncio.to_thread(file.write, some)
            except Exception:  # a bug here must not end it
                file.lost += len(some)
                log.exception("events were not written")
    finally:
        events.leave()
