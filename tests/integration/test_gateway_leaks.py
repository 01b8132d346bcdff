"""Hundreds who leave at any moment leave nothing behind: no task, no file, no connection.

``LLMRING_GATEWAY_LEAVERS=10000`` has that many leave.
"""

import asyncio
import gc
import os
import random
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest

from llmring_core.gateway.metering import meter_for
from tests.faults.proxy import NO_LINGER
from tests.integration import speaking
from tests.integration.gateway import TOKEN as ANYBODY
from tests.integration.gateway import gateway, post, until
from tests.integration.server import running
from tests.integration.speaking import Used
from tests.integration.teams import Team, settings, team
from tests.integration.upstream import END, STREAM_HEAD, ScriptedUpstream, Sent, chunk, upstream
from tests.services.postgres import new_database
from tests.services.search import skip_when_unavailable

LEAVERS = int(os.environ.get("LLMRING_GATEWAY_LEAVERS", "300"))
AT_ONCE = 20
SEED = 20261121
POOL = 4  # connections to the database, which come and go
COUNTING = min(32, (os.cpu_count() or 1) + 4)  # threads that asyncio keeps for work aside
SOON = {
    "gateway_drain_s": "0.2",
    "gateway_keep_alive_s": "0.2",
    "database_pool_size": str(POOL),
    "database_pool_overflow": "0",
}
REQUEST = post(b'{"model":"gpt-4.1","stream":true}')
EVENTS = speaking.chat_events(Used(10, 4, 7, 2), *[{"content": "Grüezi"}] * 5)
GIVEN_UP = {"client_disconnected"}
LENGTH = len(b"".join(map(chunk, EVENTS)))


async def answer(_: Sent, writer: asyncio.StreamWriter) -> None:
    writer.write(STREAM_HEAD)
    for event in EVENTS:
        writer.write(chunk(event))
        await writer.drain()
        await asyncio.sleep(0.001)
    writer.write(END)


async def silent(sent: Sent, writer: asyncio.StreamWriter) -> None:
    """Begin an answer and say nothing more, until the gateway gives it up."""
    writer.write(STREAM_HEAD + chunk(EVENTS[0]))
    await sent.reader.read()
    writer.close()


async def mixed(sent: Sent, writer: asyncio.StreamWriter) -> None:
    await (silent if random.random() < 0.1 else answer)(sent, writer)  # noqa: S311


@pytest.fixture
def database(postgres_server: str) -> Iterator[str]:
    with skip_when_unavailable(), new_database(postgres_server) as url:
        yield url


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedUpstream]:
    async with upstream(answer) as found:
        yield found


async def test_a_server_on_postgres_is_afterwards_as_it_was_before(
    tmp_path: Path, database: str, provider: ScriptedUpstream
) -> None:
    used = settings(tmp_path, provider.url, database_url=database, **SOON)
    with running(tmp_path, **used) as server:
        ours = await asyncio.to_thread(team, server, used, max_requests=10**6)
        request = REQUEST.replace(ANYBODY.encode(), ours.token.encode())
        process = psutil.Process(server.pid)
        await everybody_leaves(server.address, request, 2 * AT_ONCE)
        await until(provider.is_left)
        files, threads = process.num_fds(), process.num_threads()

        provider.answer = mixed
        await everybody_leaves(server.address, request, LEAVERS)

        await until(provider.is_left)
        await until(lambda: is_no_more(process.num_fds, files + POOL))
        await until(lambda: is_no_more(process.num_threads, threads + COUNTING))
        await until(lambda: nobody_holds_a_transaction(database))
        await until(lambda: has_recorded(ours, provider))
        rows = await asyncio.to_thread(ours.rows)

    asked = {sent.header("x-request-id")[0] for sent in provider.sent}
    recorded = {row["request_id"]: row for row in rows}
    assert len(recorded) == len(rows)
    assert asked <= recorded.keys()  # and some were given up while they were being sent
    assert {recorded[id]["attempt_status"] for id in recorded.keys() - asked} <= GIVEN_UP
    assert len(asked) > LEAVERS / 2  # the others left before they had asked for anything


async def test_no_task_is_left_of_who_left(
    tmp_path: Path, database: str, provider: ScriptedUpstream
) -> None:
    async with gateway(
        tmp_path, provider.url, meters=meter_for, database_url=database, **SOON
    ) as server:
        await everybody_leaves(server.address, REQUEST, 2 * AT_ONCE)
        await until(provider.is_left)
        await until(server.is_left)
        tasks, files = len(asyncio.all_tasks()), psutil.Process().num_fds()

        provider.answer = mixed
        await everybody_leaves(server.address, REQUEST, LEAVERS)

        await until(provider.is_left)
        await until(server.is_left)
        await until(lambda: is_no_more(lambda: len(asyncio.all_tasks()), tasks))
        await until(lambda: is_no_more(psutil.Process().num_fds, files + POOL))
        await until(lambda: nobody_holds_a_transaction(database))


async def everybody_leaves(address: tuple[str, int], request: bytes, count: int) -> None:
    """Have ``count`` callers leave, each after a number of bytes of its own."""
    draw = random.Random(SEED)  # noqa: S311
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(sent: int, read: int) -> None:
        async with limit:
            await leave(address, request[:sent], read)

    size = len(request)
    ways = [
        (
            draw.choice([size, size, size, draw.randrange(size)]),
            draw.choice([-1, 0, draw.randrange(LENGTH)]),
        )
        for _ in range(count)
    ]
    await asyncio.gather(*(one(sent, read) for sent, read in ways))


async def leave(address: tuple[str, int], request: bytes, read: int) -> None:
    """Send what there is of a call, read so much of its answer, and leave with RST."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(request)
    with suppress(asyncio.IncompleteReadError, TimeoutError):
        async with asyncio.timeout(0.5):
            if read >= 0 and request.endswith(b"}"):
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(read)
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    writer.transport.abort()


async def is_no_more(count: Callable[[], int], before: int) -> bool:
    gc.collect()
    return count() <= before


async def nobody_holds_a_transaction(database: str) -> bool:
    connection = await asyncpg.connect(database)
    try:
        held = await connection.fetchval(
            "select count(*) from pg_stat_activity"
            " where datname = current_database() and state like 'idle in transaction%'"
        )
    finally:
        await connection.close()
    return held == 0


async def has_recorded(ours: Team, provider: ScriptedUpstream) -> bool:
    return len(await asyncio.to_thread(ours.rows)) >= len(provider.sent)
