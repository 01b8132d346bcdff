"""What every SnapshotBook promises, on every backend."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from llmring_adapters.registry.live import LiveRegistry
from llmring_adapters.registry.memory import MemoryRegistrySource
from llmring_core.registry import (
    Publication,
    RefreshRegistry,
    RegistryWork,
    SnapshotTaken,
    VersionNotFound,
)
from llmring_core.transactions import Begin
from tests.unit.registry.builders import NOON, entry, published, snapshot
from tests.unit.registry.servers import at_once

FIRST = snapshot(("openai", published(m=entry(display_name="Ω \u2028 \0 \U0001f600"))))
OTHER = snapshot(("openai", published(version=2**53 - 1)))
SECOND = snapshot(version="2026.11.20", sequence=2, published_at=NOON, origin="bundled")


class TestSnapshotBook:
    async def test_gives_back_exactly_what_was_appended(self, begin: Begin[RegistryWork]) -> None:
        async with begin() as work:
            await work.snapshots.append(FIRST)
        async with begin() as work:
            assert await work.snapshots.get(FIRST.version) == FIRST

    async def test_is_empty_at_first(self, begin: Begin[RegistryWork]) -> None:
        async with begin() as work:
            assert await work.snapshots.latest() is None
        with pytest.raises(VersionNotFound):
            async with begin() as work:
                await work.snapshots.get(FIRST.version)

    async def test_the_latest_is_the_last_in_sequence_whatever_its_name_or_time(
        self, begin: Begin[RegistryWork]
    ) -> None:
        tenth = replace(SECOND, version="2026.11.20.10", sequence=11, published_at=NOON)
        ninth = replace(
            SECOND, version="2026.11.20.9", sequence=10, published_at=NOON + timedelta(hours=1)
        )
        for kept in (FIRST, tenth, ninth):
            async with begin() as work:
                await work.snapshots.append(kept)
        async with begin() as work:
            assert await work.snapshots.latest() == tenth

    async def test_a_published_version_is_never_rewritten(self, begin: Begin[RegistryWork]) -> None:
        async with begin() as work:
            await work.snapshots.append(FIRST)
        with pytest.raises(SnapshotTaken):
            async with begin() as work:
                await work.snapshots.append(replace(SECOND, version=FIRST.version))
        async with begin() as work:
            assert await work.snapshots.get(FIRST.version) == FIRST

    async def test_only_one_snapshot_follows_another(self, begin: Begin[RegistryWork]) -> None:
        async with begin() as work:
            await work.snapshots.append(SECOND)
        with pytest.raises(SnapshotTaken):
            async with begin() as work:
                await work.snapshots.append(replace(SECOND, version="2026.11.21"))

    async def test_content_may_return_under_a_new_version(self, begin: Begin[RegistryWork]) -> None:
        again = replace(FIRST, version="2026.11.20", sequence=2)
        async with begin() as work:
            await work.snapshots.append(FIRST)
            await work.snapshots.append(again)
        async with begin() as work:
            assert await work.snapshots.latest() == again

    async def test_versions_are_listed_in_the_order_of_their_publication(
        self, begin: Begin[RegistryWork]
    ) -> None:
        async with begin() as work:
            assert await work.snapshots.publications() == []
            await work.snapshots.append(SECOND)
            await work.snapshots.append(FIRST)
        async with begin() as work:
            assert await work.snapshots.publications() == [
                Publication(version=kept.version, published_at=kept.published_at)
                for kept in (FIRST, SECOND)
            ]

    async def test_an_edition_is_found_in_the_last_version_made_from_it(
        self, begin: Begin[RegistryWork]
    ) -> None:
        changed = replace(SECOND, version="2026.11.21", sequence=3, sources=OTHER.sources)
        async with begin() as work:
            for kept in (FIRST, SECOND, changed):
                await work.snapshots.append(kept)
            assert await work.snapshots.holding("openai", 7) == SECOND.version
            assert await work.snapshots.holding("openai", 2**53 - 1) == changed.version

    @pytest.mark.parametrize(("provider", "number"), [("openai", 9), ("google", 7), ('"', 2**31)])
    async def test_an_edition_in_no_version_is_not_found(
        self, begin: Begin[RegistryWork], provider: str, number: int
    ) -> None:
        async with begin() as work:
            await work.snapshots.append(FIRST)
        with pytest.raises(VersionNotFound):
            async with begin() as work:
                await work.snapshots.holding(provider, number)

    async def test_a_failed_block_leaves_nothing(self, begin: Begin[RegistryWork]) -> None:
        with pytest.raises(VersionNotFound):
            async with begin() as work:
                await work.snapshots.append(FIRST)
                await work.snapshots.get("2026.11.21")
        async with begin() as work:
            assert await work.snapshots.latest() is None

    async def test_servers_that_refresh_at_once_publish_once(
        self, begin: Begin[RegistryWork]
    ) -> None:
        async with begin() as work:
            await work.snapshots.append(FIRST)
        files = {"openai": published("openai", 8, new=entry())}
        servers = [
            RefreshRegistry(begin, LiveRegistry(FIRST), MemoryRegistrySource(files), clock, at_once)
            for clock in (lambda: NOON, lambda: NOON + timedelta(days=1), lambda: NOON)
        ]
        found = await asyncio.gather(*(refresh() for refresh in servers))
        async with begin() as work:
            latest = await work.snapshots.latest()
        assert latest is not None and latest.sequence == 2
        assert {status.version for status in found} == {latest.version}
