"""What providers say they charge for is what the ledger has, call by call and in sum.

Over all dialects, streamed and not, with errors between them and callers who leave.
``LLMRING_GATEWAY_CALLS=10000`` makes that many calls.
"""

import asyncio
import os
import random
from decimal import Decimal
from pathlib import Path

from tests.integration.breaking import seen
from tests.integration.charging import KINDS, Charging, billed, request
from tests.integration.gateway import until
from tests.integration.server import RunningServer, Tenant, running
from tests.integration.teams import Team, settings, team
from tests.integration.upstream import upstream

CALLS = int(os.environ.get("LLMRING_GATEWAY_CALLS", "300"))
AT_ONCE = 20
SEED = 20261121
EVER = "start_date=2020-01-01&end_date=2100-01-01"


async def test_the_ledger_has_what_providers_charge_for(tmp_path: Path) -> None:
    charging = Charging(SEED)
    async with upstream(charging) as provider:
        used = settings(tmp_path, provider.url)
        with running(tmp_path, **used) as server:
            ours = await asyncio.to_thread(team, server, used)
            await everything_called(server, ours)
            await until(lambda: is_recorded(ours, charging))
            rows = await asyncio.to_thread(ours.rows)
            total = Tenant(server, ours.key).stats(EVER)["summary"]

    costs = sum((Decimal(str(row.get("cost", 0))) for row in rows), Decimal(0))
    assert (total["total_requests"], Decimal(total["total_cost"])) == (CALLS, costs)
    assert len(rows) == len(charging.charged) == CALLS
    recorded = {row["request_id"]: row for row in rows}
    for id, charged in charging.charged.items():
        row = recorded[id]
        if charged is None:
            assert row["attempt_status"] == "upstream_error", row
            assert row["usage_source"] != "provider", row
        else:
            assert billed(row) == charged, row
            assert row["usage_source"] == "provider", row
    of_provider = [one for one in charging.charged.values() if one is not None]
    of_ours = [billed(row) for row in rows if row["usage_source"] == "provider"]
    assert [sum(counts) for counts in zip(*of_ours, strict=True)] == [
        sum(counts) for counts in zip(*of_provider, strict=True)
    ]


async def everything_called(server: RunningServer, ours: Team) -> None:
    draw = random.Random(SEED)  # noqa: S311
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, leaves: bool) -> None:
        async with limit:
            await call(server, request(number, ours.token), leaves)

    kinds = [(draw.randrange(len(KINDS)), draw.random() < 0.1) for _ in range(CALLS)]
    await asyncio.gather(*(one(number, leaves) for number, leaves in kinds))


async def call(server: RunningServer, sent: bytes, leaves: bool) -> None:
    """Call; who ``leaves`` does so once the answer has begun."""
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(sent)
    async with asyncio.timeout(30):
        if leaves:
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
        else:
            assert seen(await reader.read()).ended
            writer.close()


async def is_recorded(ours: Team, charging: Charging) -> bool:
    return len(await asyncio.to_thread(ours.rows)) >= len(charging.charged)
