"""A server dies in the middle of calls; the next one says so in the ledger, once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from dependency_injector import providers
from msgspec import json
from msgspec.structs import replace

from llmring_app.container import Container
from llmring_app.database import opened
from llmring_app.gateway_upkeep import closed, gateway_kept
from llmring_app.metrics import exposition
from llmring_app.settings import Settings
from llmring_core.gateway.journal import LEASE
from llmring_core.usage import UsageRecord
from tests.builders.accounts import PROJECT
from tests.builders.certification import forwarded
from tests.builders.gateway import GATEWAY_PROJECT, attempt
from tests.builders.kernel import P1, FakeClock
from tests.builders.usage import EVERYTHING, usage_record

A, B = attempt(1), attempt(2)
SOON = timedelta(minutes=1)


@asynccontextmanager
async def server(folder: Path, clock: FakeClock) -> AsyncIterator[Container]:
    """What a process is made of, over the database in ``folder``."""
    settings = Settings(database_url=f"sqlite:///{folder / 'llmring.db'}")
    container = Container(settings=settings)
    container.clock.override(providers.Object(clock))
    async with opened(container):
        yield container


async def ledger(container: Container) -> list[UsageRecord]:
    async with container.begin()() as work:
        found: list[UsageRecord] = await work.usage.newest(P1, EVERYTHING, 10)
    return found


async def test_what_a_crash_interrupted_is_in_the_ledger_once(tmp_path: Path) -> None:
    clock = FakeClock()
    async with server(tmp_path, clock) as crashed:  # nothing of it is closed, as nothing would be
        for one in (A, B):
            await crashed.journal().start(one)
        async with crashed.begin()() as work:
            await work.usage.append([usage_record(id=B.id)])
    clock.pass_by(LEASE)

    async with server(tmp_path, clock) as following:
        await asyncio.gather(closed(following), closed(following))
        statuses = {one.id: one.attempt_status for one in await ledger(following)}
        assert statuses == {A.id: "unknown", B.id: "complete"}
        text = exposition(following)
        assert b"llmring_gateway_attempts_lost_total 1.0" in text
        assert b"llmring_gateway_attempts_open 0.0" in text


async def test_a_server_that_stops_in_order_leaves_nothing_to_close(tmp_path: Path) -> None:
    clock = FakeClock()
    async with server(tmp_path, clock) as stopping, gateway_kept(stopping):
        await stopping.journal().start(A)
        assert b"llmring_gateway_attempts_open 1.0" in exposition(stopping)
        stopping.journal().end(A.id)
    clock.pass_by(LEASE)

    async with server(tmp_path, clock) as following:
        await closed(following)
        assert await ledger(following) == []


async def test_a_server_that_slept_does_not_close_its_own_calls(tmp_path: Path) -> None:
    clock = FakeClock()
    async with server(tmp_path, clock) as sleeping:
        await sleeping.journal().start(A)
        clock.pass_by(timedelta(hours=1))
        await closed(sleeping)
        assert await ledger(sleeping) == []


async def test_a_receipt_that_a_crash_left_out_is_issued_by_the_next_server(
    tmp_path: Path,
) -> None:
    clock, record = FakeClock(), forwarded(id=A.id)
    async with server(tmp_path, clock) as crashed:  # nothing of it is closed, as nothing would be
        await crashed.adopt_key()()
        async with crashed.begin()() as work:
            await work.accounts.add_project(PROJECT)
            await work.gateway.add(replace(GATEWAY_PROJECT, issues_receipts=True))
            await work.usage.append([record])
        crashed.certifier().certify(record)
    clock.pass_by(SOON)

    async with server(tmp_path, clock) as following:
        list_receipts = following.list_receipts()
        assert (await list_receipts(P1, 10, 0))[1] == 0
        async with gateway_kept(following), asyncio.timeout(20):
            while not (await list_receipts(P1, 10, 0))[1]:  # noqa: ASYNC110  nobody announces it
                await asyncio.sleep(0.005)
        [receipt], _ = await list_receipts(P1, 10, 0)
        assert json.decode(receipt.body)["usage_id"] == record.id
        assert (await following.list_uncertified()(P1, 10, 0))[1] == 0
