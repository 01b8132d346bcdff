"""The server process: checked, its address taken, run until asked to stop."""

import asyncio
import os
import signal
import socket
import sys
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import Any, Final

from litestar.types import ASGIApp
from uvicorn import Config, Server
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import ChangeReload, Multiprocess

from llmring_app.choices import event_file_of
from llmring_app.container import Container
from llmring_app.database import opened
from llmring_app.errors import CannotStart
from llmring_app.forwarding import providers_of
from llmring_app.logs import log_config
from llmring_app.protocol import GuardedProtocol, Limits
from llmring_app.settings import Settings, variable, without_password
from llmring_core import __version__

APPLICATION: Final = "llmring_app.serve:create_application"
PACKAGES: Final = sorted(Path(__file__).parents[1].glob("llmring_*"))
DRAIN_S: Final = 25  # for requests under way when asked to stop
IDLE_S: Final = 75  # a connection is kept for its next request, longer than proxies keep theirs
BACKLOG: Final = 2048  # connections


def prepare(settings: Settings, host: str, port: int, workers: int) -> socket.socket:
    """Check that the server may run, take its address and bring its database up to date.

    Raises: CannotStart, SchemaTooNew.
    """
    if settings.is_open and not settings.open_to_network and not _is_loopback(host):
        raise CannotStart(
            f"in open mode whoever reaches {host} may use this server; set LLMRING_AUTH=keys, "
            "or LLMRING_OPEN_TO_NETWORK=true if that is what you want"
        )
    if settings.is_sqlite and workers > 1:
        raise CannotStart(
            "SQLite has one writer; use --workers 1, or a PostgreSQL LLMRING_DATABASE_URL"
        )
    if settings.api_config_path is not None:
        providers_of(settings, Path(settings.api_config_path))  # what is wrong is said here, once
    listener = listening(host, port)  # first: without an address nothing should be changed
    try:
        event_file_of(settings)
        asyncio.run(_up_to_date(settings))
    except BaseException:
        listener.close()
        raise
    return listener


def run(listener: socket.socket, settings: Settings, reload: bool, workers: int) -> int:
    """Serve until the process is asked to stop, finish what is under way, return the exit code."""
    os.environ[variable("env")] = settings.env  # the app reads it, maybe in other processes
    config = web_config(
        APPLICATION,
        settings,
        factory=True,
        workers=workers,
        reload=reload,
        reload_dirs=[str(folder) for folder in PACKAGES] if reload else None,
    )
    if reload:
        ChangeReload(config, target=Server(config).run, sockets=[listener]).run()
        return 0
    if workers == 1:
        Server(config).run(sockets=[listener])
        return 0
    supervisor = Multiprocess(config, sockets=[listener])
    with listener:
        supervisor.run()
    failed = any(worker.exitcode == STARTUP_FAILURE for worker in supervisor.processes)
    return STARTUP_FAILURE if failed else 0


def web_config(app: ASGIApp | str, settings: Settings, **more: Any) -> Config:
    """Return how this program serves ``app``; ``more`` is uvicorn's."""
    limits = Limits(head_s=settings.header_timeout_s, body_s=settings.body_timeout_s)
    return Config(
        app,
        http=partial(GuardedProtocol, limits),  # type: ignore[arg-type]  # only ever called
        lifespan="on",
        backlog=BACKLOG,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # who calls is told by keys, not by addresses
        log_config=log_config(settings),
        log_level=settings.log_level,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=DRAIN_S,
        **more,
    )


def stop_quietly() -> None:
    """From now on, being asked to stop is no failure; uvicorn asks again once it has stopped."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)


def greeting(settings: Settings, listener: socket.socket) -> str:
    """Return what to tell whoever started the server."""
    address = address_of(listener)
    if settings.is_open:
        access, key = "open: any well-formed key is a project of its own", "demo"
    else:
        access = "by key: `llmring-server keys create --project NAME` makes one"
        key = "$LLMRING_API_KEY"
    return f"""\
LLMRing Server {__version__} on {address} (API: {address}/docs)
Database: {without_password(settings.database_url)}
Access:   {access}
Log a call:
  curl {address}/api/v1/log -H "X-API-Key: {key}" -H "Content-Type: application/json" \\
    -d '{{"provider":"openai","model":"gpt-4o-mini","input_tokens":1000,"output_tokens":200}}'
"""


def address_of(listener: socket.socket) -> str:
    """Return the URL under which ``listener`` is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def listening(host: str, port: int, options: str = "--host or --port") -> socket.socket:
    """Take an address; ``options`` say which. Raises CannotStart."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        known = error.errno is not None and error.errno > 0  # the text repeats host and port
        reason = os.strerror(error.errno or 0) if known else "no such host"
        raise CannotStart(
            f"cannot listen on {host} port {port}: {reason}; choose another {options}"
        ) from error


async def _up_to_date(settings: Settings) -> None:
    async with opened(Container(settings=settings)):
        pass


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _leave(_: int, __: FrameType | None) -> None:
    sys.exit(0)
