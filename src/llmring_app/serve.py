"""The web application: settings to container to app, opened and closed in order."""

import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from litestar import Litestar
from litestar.types import ASGIApp

from llmring_adapters.database import ping
from llmring_app.container import Container, use_cases
from llmring_app.database import opened
from llmring_app.refreshing import kept_fresh
from llmring_app.settings import Settings
from llmring_http.app import create_app
from llmring_http.options import HttpOptions

COLLECT_AFTER = 50_000  # objects made and not freed


def create_application() -> ASGIApp:
    """Build the app from the environment, for an ASGI server that imports it. Raises BadSetting."""
    return application(Container(settings=Settings.read(os.environ)))


def application(container: Container) -> ASGIApp:
    """Build the app; its database is opened when it starts and closed when it stops."""
    settings = container.settings()
    options = HttpOptions(
        clock=container.clock(),
        new_id=container.new_id(),
        database_answers=partial(ping, container.engine()),
        cors_origins=settings.cors_origins,
        trust_identity_headers=settings.trust_identity_headers,
        max_body_bytes=settings.max_body_bytes,
    )

    @asynccontextmanager
    async def running(_: Litestar) -> AsyncIterator[None]:
        async with opened(container):
            await container.load_registry()()
            _collect_rarely()
            async with container.registry_client(), kept_fresh(container), closing(container):
                yield

    return create_app(use_cases(container), options, [running])


@asynccontextmanager
async def closing(container: Container) -> AsyncIterator[None]:
    """Commit what was taken, also from callers who are gone, before the database is closed."""
    try:
        yield
    finally:
        await container.intake().close()


def _collect_rarely() -> None:
    """Keep Python's cycle collector from looking at every request's objects several times.

    They are freed without it; at its default it took a third of the time a batch takes.
    """
    gc.collect()
    gc.freeze()  # what was made to start stays
    gc.set_threshold(COLLECT_AFTER)
