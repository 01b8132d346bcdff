"""The web application: settings to container to app, opened and closed in order."""

import gc
import logging
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from functools import partial

from litestar import Litestar
from litestar.types import ASGIApp

from llmring_adapters.database import ping
from llmring_app.container import Container, use_cases
from llmring_app.cosigning import log_cosigned
from llmring_app.database import opened
from llmring_app.event_log import events_kept
from llmring_app.forwarding import forwarding, proxy_of
from llmring_app.gateway_upkeep import at_last, gateway_kept
from llmring_app.log_keys import check_log_key
from llmring_app.metrics import exposition, figures
from llmring_app.refreshing import kept_fresh
from llmring_app.runtime import pauses_counted
from llmring_app.sequencing import log_continued
from llmring_app.settings import Settings
from llmring_http.app import create_app
from llmring_http.metrics import Metrics
from llmring_http.options import HttpOptions, no_redis

COLLECT_AFTER = 50_000  # objects made and not freed


def create_application() -> ASGIApp:
    """Build the app from the environment, for an ASGI server that imports it. Raises BadSetting."""
    logging.captureWarnings(True)
    return application(Container(settings=Settings.read(os.environ)))


def application(container: Container) -> ASGIApp:
    """Build the app; its database is opened when it starts and closed when it stops."""
    settings = container.settings()
    proxy = proxy_of(container)
    redis = container.redis()
    options = HttpOptions(
        clock=container.clock(),
        new_id=container.new_id(),
        database_answers=partial(ping, container.engine()),
        redis_state=no_redis if redis is None else redis.state,
        cors_origins=settings.cors_origins,
        trust_identity_headers=settings.trust_identity_headers,
        max_body_bytes=settings.max_body_bytes,
        max_in_flight=settings.max_in_flight,
        requests=container.measures().requests,
        access_log=settings.access_log,
        metrics=Metrics(partial(exposition, container), partial(figures, container)),
        metrics_token=settings.metrics_token,
        management_token=settings.management_token,
        project_delete=settings.gateway_project_delete,
    )

    @asynccontextmanager
    async def running(_: Litestar) -> AsyncIterator[None]:
        async with opened(container):
            await container.load_registry()()
            await container.adopt_key()()
            await check_log_key(container.read(), container.log_signer())
            if settings.management_token is not None:
                container.vault()  # a key that cannot be used is found out now
            _collect_rarely()
            async with (
                pauses_counted(container.measures().pauses),
                container.registry_client(),
                aclosing(container.check_board()),
                kept_fresh(container),
                log_continued(container),
                log_cosigned(container),
                gateway_kept(container),
                events_kept(container),
                closing(container),
                forwarding(container, proxy),
            ):
                yield

    return create_app(use_cases(container), options, [running], proxy)


@asynccontextmanager
async def closing(container: Container) -> AsyncIterator[None]:
    """Commit what was taken, also from callers who are gone, before the database is closed."""
    try:
        yield
    finally:
        await container.intake().close()
        await at_last(container.certifier().flush, "some receipts of calls were not issued")
        await container.receipt_intake().close()


def _collect_rarely() -> None:
    """Keep Python's cycle collector from looking at every request's objects several times.

    They are freed without it; at its default it took a third of the time a batch takes.
    """
    gc.collect()
    gc.freeze()  # what was made to start stays
    gc.set_threshold(COLLECT_AFTER)
