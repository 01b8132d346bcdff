"""Versions are opened once however many ask, and the last few are kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from llmring_adapters.registry.archive import CATALOGUES, KeptArchive
from llmring_adapters.registry.live import LiveRegistry
from llmring_core.errors import StoreUnavailable
from llmring_core.registry import VersionNotFound
from tests.unit.registry.builders import entry, keeping, published, snapshot

KEPT = [
    snapshot(
        ("openai", published("openai", n, **{f"m{n}": entry()})),
        version=f"2026.07.{n:02}",
        sequence=n,
    )
    for n in range(1, CATALOGUES + 3)
]
IN_FORCE = KEPT[-1]


class Counted:
    """Transactions that are counted, and fail while ``is_away``."""

    def __init__(self) -> None:
        self.count = 0
        self.is_away = False
        self._begin = keeping({kept.version: kept for kept in KEPT})

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[Any]:
        self.count += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise StoreUnavailable
        async with self._begin() as work:
            yield work


@pytest.fixture
def begin() -> Counted:
    return Counted()


@pytest.fixture
def archive(begin: Counted) -> KeptArchive:
    return KeptArchive(begin, LiveRegistry(IN_FORCE))


async def test_many_who_ask_at_once_open_it_once(archive: KeptArchive, begin: Counted) -> None:
    opened = await asyncio.gather(*(archive.open("2026.07.01") for _ in range(50)))
    assert begin.count == 1 and len({id(catalogue) for catalogue in opened}) == 1
    assert await archive.open("2026.07.01") is opened[0]
    assert begin.count == 1


async def test_what_is_in_force_needs_no_store(archive: KeptArchive, begin: Counted) -> None:
    assert (await archive.open(IN_FORCE.version)).snapshot is IN_FORCE
    assert begin.count == 0


async def test_only_the_last_few_are_kept(archive: KeptArchive, begin: Counted) -> None:
    for kept in KEPT[:-1]:
        await archive.open(kept.version)
    opened = begin.count
    await archive.open(KEPT[-2].version)
    assert begin.count == opened
    await archive.open(KEPT[0].version)
    assert begin.count == opened + 1


async def test_a_failure_is_not_kept(archive: KeptArchive, begin: Counted) -> None:
    begin.is_away = True
    asked = (archive.open("2026.07.01") for _ in range(3))
    failures = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(failure) for failure in failures] == [StoreUnavailable] * 3
    begin.is_away = False
    assert (await archive.open("2026.07.01")).snapshot == KEPT[0]


async def test_one_who_gives_up_leaves_the_others_theirs(archive: KeptArchive) -> None:
    first, second = (asyncio.create_task(archive.open("2026.07.01")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).snapshot == KEPT[0]


async def test_a_difference_is_found_once(archive: KeptArchive) -> None:
    asked = (archive.compare("2026.07.01", "2026.07.02") for _ in range(10))
    found = await asyncio.gather(*asked)
    assert len({id(changes) for changes in found}) == 1
    assert [change.type for change in found[0]] == ["model.added", "model.removed"]


async def test_a_number_means_that_edition(archive: KeptArchive) -> None:
    catalogue = await archive.open("2")
    assert set(catalogue.select().models) == {"openai:m2"}
    with pytest.raises(VersionNotFound):
        await archive.open("99")
