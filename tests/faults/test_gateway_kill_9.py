"""``kill -9`` while calls are forwarded: whatever answer arrived whole is in the ledger, once.

``LLMRING_FAULT_ROUNDS=50`` runs that many rounds on each database.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.integration.breaking import Seen, seen
from tests.integration.charging import KINDS, Charging, billed, request
from tests.integration.server import RunningServer
from tests.integration.speaking import DONE
from tests.integration.teams import Team, settings, team
from tests.integration.upstream import upstream
from tests.services.postgres import new_database, private_postgres
from tests.services.search import skip_when_unavailable

ROUNDS = int(os.environ.get("LLMRING_FAULT_ROUNDS", "2"))
CALLERS = 8
SEED = 20261121
MOMENTS_S = (0.1, 1.0)  # after the calls began


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A database that survives whoever uses it, and how many servers use it at once."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'llmring.db'}", 1
        return
    with ExitStack() as stack:
        stack.enter_context(skip_when_unavailable())
        postgres = stack.enter_context(private_postgres(durable=True))
        yield stack.enter_context(new_database(postgres.url)), 2


async def test_every_answer_that_arrived_is_in_the_ledger_once(
    tmp_path: Path, database: tuple[str, int]
) -> None:
    url, count = database
    charging = Charging(SEED)
    whole: set[str] = set()
    async with upstream(charging) as provider:
        used = settings(tmp_path, provider.url, database_url=url)
        servers = [started(tmp_path, used) for _ in range(count)]
        ours = team(servers[0], used)
        for _ in range(ROUNDS):
            async with calling(servers, ours, whole):
                await asyncio.sleep(random.uniform(*MOMENTS_S))  # noqa: S311
                servers[0].kill()
            servers[0] = started(tmp_path, used)
        rows = await asyncio.to_thread(ours.rows, servers[0])
        for server in servers:
            await asyncio.to_thread(server.stop)

    recorded = {row["request_id"]: row for row in rows}
    closed = {id for id, row in recorded.items() if row["attempt_status"] == "unknown"}
    assert len(recorded) == len(rows)
    assert whole <= recorded.keys() - closed
    assert recorded.keys() - closed <= charging.charged.keys()  # nothing that was not asked for
    for id in whole:
        charged = charging.charged[id]
        assert charged is None or billed(recorded[id]) == charged
    assert len(whole) > 5 * ROUNDS
    open_yet = len(charging.charged.keys() - recorded.keys())
    print(  # noqa: T201
        f"\n{ROUNDS} rounds, {len(whole)} whole answers checked,"
        f" {len(closed)} calls closed as unknown, {open_yet} still to be closed"
    )


def started(folder: Path, used: dict[str, str]) -> RunningServer:
    server = RunningServer(folder, **used)
    server.launch()
    server.wait_until_ready()
    return server


@asynccontextmanager
async def calling(servers: list[RunningServer], ours: Team, whole: set[str]) -> AsyncIterator[None]:
    """Have callers of all servers call again and again; answers that came whole go to ``whole``."""
    is_over = asyncio.Event()

    async def caller(number: int) -> None:
        server = servers[number % len(servers)]
        while not is_over.is_set():
            sent = request(random.randrange(len(KINDS)), ours.token)  # noqa: S311
            answer = await answered(server, sent)
            if answer is None:
                await asyncio.sleep(0.05)
            elif answer.ended or DONE in answer.body:
                whole.add(answer.headers["x-request-id"])

    callers = [asyncio.create_task(caller(number)) for number in range(CALLERS)]
    try:
        yield
    finally:
        is_over.set()
        await asyncio.gather(*callers)


async def answered(server: RunningServer, sent: bytes) -> Seen | None:
    """Return the answer as far as it came; None: not even its head did."""
    answer = b""
    with suppress(OSError):
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(sent)
        with suppress(OSError):
            async with asyncio.timeout(20):
                while piece := await reader.read(2**16):
                    answer += piece
        writer.close()
    return seen(answer) if b"\r\n\r\n" in answer else None
