"""A token's limit on requests is exact, however many calls and servers there are at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration import speaking
from tests.integration.breaking import seen
from tests.integration.gateway import TOKEN as ANYBODY
from tests.integration.gateway import error_of, post
from tests.integration.manager import Manager
from tests.integration.server import RunningServer
from tests.integration.speaking import Used
from tests.integration.teams import Team, settings, team
from tests.integration.upstream import ScriptedUpstream, Sent, upstream
from tests.services.postgres import new_database
from tests.services.search import skip_when_unavailable

LIMIT = 100
CALLS = 400
SERVERS = 2


@pytest.fixture
def database(postgres_server: str) -> Iterator[str]:
    with skip_when_unavailable(), new_database(postgres_server) as url:
        yield url


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedUpstream]:
    async def slowly(_: Sent, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)  # so that calls overlap
        writer.write(speaking.chat(Used(10, 0, 5)))

    async with upstream(slowly) as found:
        yield found


async def test_as_many_calls_as_allowed_are_made_and_no_more(
    tmp_path: Path, database: str, provider: ScriptedUpstream
) -> None:
    used = settings(tmp_path, provider.url, database_url=database)
    with ExitStack() as stack:
        servers = [started(stack, tmp_path, used) for _ in range(SERVERS)]
        ours = await asyncio.to_thread(team, servers[0], used, max_requests=LIMIT)

        answers = await asyncio.gather(
            *(called(servers[number % SERVERS], ours) for number in range(CALLS))
        )
        rows = await asyncio.to_thread(ours.rows)
        [token] = Manager(servers[1])("GET", f"/tokens?projectId={ours.project}").json()

    statuses = Counter(seen(answer).status for answer in answers)
    refused = [answer for answer in answers if seen(answer).status == 429]
    assert statuses == {200: LIMIT, 429: CALLS - LIMIT}
    assert {error_of(answer)["code"] for answer in refused} == {"rate_limit_exceeded"}
    assert len(provider.sent) == len(rows) == token["request_count"] == LIMIT
    assert sum(row["output_tokens"] for row in rows) == 5 * LIMIT


def started(stack: ExitStack, folder: Path, used: dict[str, str]) -> RunningServer:
    server = RunningServer(folder, **used)
    server.launch()
    stack.callback(server.stop)
    server.wait_until_ready()
    return server


async def called(server: RunningServer, ours: Team) -> bytes:
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(post().replace(ANYBODY.encode(), ours.token.encode()))
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    return answer
