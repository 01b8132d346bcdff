"""Having witnesses cosign the transparency log, while the server runs."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from llmring_app.container import Container
from llmring_core.errors import LLMRingError
from llmring_core.transparency import AskWitness, Witness

EVERY_S = 0.5
AWAY_S = 5.0  # before a witness that failed is asked again

log = logging.getLogger(__name__)


@asynccontextmanager
async def log_cosigned(container: Container) -> AsyncIterator[None]:
    """Ask each witness for itself, beside whatever the block does: none waits for another."""
    if not container.settings().witnesses:
        yield
        return
    async with container.witness_client():
        tasks = [
            asyncio.create_task(_ask_regularly(container.ask_witness(), witness, container.grown()))
            for witness in container.witnesses()
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _ask_regularly(ask: AskWitness, witness: Witness, grown: asyncio.Condition) -> None:
    known = 0  # entries; the witness says so when it has more
    said = False  # one outage is one line
    while True:
        try:
            before, known = known, await ask(witness, known)
            said = False
            if known == before:  # else the log may have gone on in the meantime
                await _until(grown)
            continue
        except LLMRingError as error:
            if not said:
                name = witness.key.name
                log.warning("the witness %s does not cosign for now: %s", name, error)
            said = True
        except Exception:  # a bug here must not end the asking
            log.exception("the witness %s was not asked", witness.key.name)
        await asyncio.sleep(AWAY_S)


async def _until(grown: asyncio.Condition) -> None:
    """Wait for the log to grow here, or for so long that it may have grown on another server."""
    with suppress(TimeoutError):
        async with asyncio.timeout(EVERY_S), grown:
            await grown.wait()
