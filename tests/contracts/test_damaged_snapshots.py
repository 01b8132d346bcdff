"""A snapshot that is not what was stored any more is never priced from, and heals."""

from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from llmring_adapters.registry.sql import registry_snapshots
from llmring_core.registry import CorruptSnapshot, RegistryWork
from llmring_core.transactions import Begin
from tests.unit.registry.builders import entry, published, snapshot
from tests.unit.registry.servers import BUNDLED, FILES, Server

KEPT = snapshot(*FILES.items(), version="2026.09.01")
CHEAPER = KEPT.document.replace("0.075", "0.000075")


@pytest.fixture(params=["sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(
    params=[{"document": CHEAPER}, {"document": ""}, {"digest": "0" * 64}, {"sources": [1]}],
    ids=["another price", "nothing", "another digest", "no sources"],
)
async def damaged(
    request: pytest.FixtureRequest, begin: Begin[RegistryWork], engine: AsyncEngine
) -> Begin[RegistryWork]:
    """A database whose only version was changed by hand."""
    values: dict[str, Any] = request.param
    async with begin() as work:
        await work.snapshots.append(KEPT)
    async with engine.begin() as connection:
        await connection.execute(update(registry_snapshots).values(values))
    return begin


async def test_reading_it_says_so(damaged: Begin[RegistryWork]) -> None:
    message = "registry version 2026.09.01 is damaged in the database"
    with pytest.raises(CorruptSnapshot, match=message):
        async with damaged() as work:
            await work.snapshots.get(KEPT.version)
    with pytest.raises(CorruptSnapshot, match=message):
        async with damaged() as work:
            await work.snapshots.latest()


async def test_a_server_starts_with_its_package_and_says_why(damaged: Begin[RegistryWork]) -> None:
    server = Server({}, {}, begin=damaged)
    status = await server.load()
    assert (status.version, status.source, status.stale) == (BUNDLED.version, "bundled", True)
    assert status.error == "registry version 2026.09.01 is damaged in the database"


@pytest.mark.parametrize("files", [FILES, {}], ids=["registry there", "registry away"])
async def test_a_refresh_publishes_a_sound_version_after_it(
    damaged: Begin[RegistryWork], files: dict[str, bytes]
) -> None:
    server = Server({}, files, begin=damaged)
    await server.load()
    status = await server.refresh()
    async with damaged() as work:
        latest = await work.snapshots.latest()
    assert latest is not None and latest.document == KEPT.document
    assert (latest.version, latest.sequence) == (status.version, 2) == ("2026.11.20", 2)


async def test_a_running_server_keeps_the_prices_it_has(damaged: Begin[RegistryWork]) -> None:
    server = Server({}, {}, begin=damaged, bundled=snapshot(("openai", published(m=entry()))))
    await server.refresh()
    assert server.input_price("openai", "m") is not None
