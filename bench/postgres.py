"""A PostgreSQL of our own that writes to disk as in production, and a database for each figure."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]
from tests.services.postgres import new_database, private_postgres

SHARED_BUFFERS = "1GB"


class NotDurable(Exception):
    """A commit would not wait for the disk, so that nothing measured would mean anything."""


class Postgres:
    def __init__(self, url: str, version: str) -> None:
        self.url = url
        self.version = version

    @contextmanager
    def database(self) -> Iterator[str]:
        """URL of a database that is empty, right after a checkpoint, and dropped afterwards."""
        with new_database(self.url) as url:
            asyncio.run(_execute(url, "CHECKPOINT"))
            yield url


@contextmanager
def durable_postgres() -> Iterator[Postgres]:
    """Raises Unavailable, Unusable, NotDurable."""
    with private_postgres(durable=True) as server:
        asyncio.run(_execute(server.url, f"ALTER SYSTEM SET shared_buffers = '{SHARED_BUFFERS}'"))
        server.stop()
        server.start()
        yield Postgres(server.url, asyncio.run(_checked(server.url)))


def without_flushes(url: str) -> None:
    """Let commits in this database not wait for the disk, in sessions that are opened later."""
    name = urlsplit(url).path.removeprefix("/")
    asyncio.run(_execute(url, f'ALTER DATABASE "{name}" SET synchronous_commit = off'))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _checked(url: str) -> str:
    """Return the version. Raises NotDurable."""
    connection = await asyncpg.connect(url)
    try:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            value = await connection.fetchval(f"SHOW {name}")
            if value != "on":
                raise NotDurable(f"{name} is {value}")
        if await connection.fetchval("SHOW shared_buffers") != SHARED_BUFFERS:
            raise NotDurable("shared_buffers was not taken over")
        version: str = await connection.fetchval("SHOW server_version")
        return version.split()[0]
    finally:
        await connection.close()
