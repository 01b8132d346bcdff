"""What is in force after a start and after a refresh, whatever the registry and others do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from llmring_adapters.registry.memory import MemorySnapshotBook
from llmring_core.errors import StoreUnavailable
from llmring_core.registry import (
    RegistryStatus,
    RegistryWork,
    Snapshot,
)
from llmring_core.transactions import Begin
from tests.unit.registry.builders import NOON, PRICE, entry, published, snapshot
from tests.unit.registry.servers import BUNDLED, DEARER, FILES, HTML, Server, no_database


class TestLoadRegistry:
    async def test_a_fresh_machine_prices_from_the_package(self) -> None:
        book: dict[str, Snapshot] = {}
        server = Server(book, {})
        status = await server.load()
        assert (status.source, status.version, status.digest) == (
            "bundled",
            BUNDLED.version,
            BUNDLED.digest,
        )
        assert server.input_price("openai", "gpt") == Decimal("0.075")
        assert book == {BUNDLED.version: BUNDLED}

    async def test_nothing_is_called_fresh_before_the_registry_was_asked(self) -> None:
        status = await Server({}, {}).load()
        assert status.stale and status.error and status.checked_at is None
        assert status.age_s(NOON) == (NOON - BUNDLED.published_at).total_seconds()

    async def test_the_last_good_snapshot_goes_before_the_package(self) -> None:
        kept = snapshot(("openai", published(m=DEARER)), version="2026.07.01")
        server = Server({kept.version: kept}, {})
        status = await server.load()
        assert (status.source, status.version) == ("database", "2026.07.01")
        assert server.input_price("openai", "m") == Decimal("0.1")

    async def test_a_newer_package_goes_before_what_an_older_one_left(self) -> None:
        old = snapshot(version="2026.07.01", sequence=3, origin="bundled")
        book = {old.version: old}
        status = await Server(book, {}).load()
        assert status.version == BUNDLED.version
        assert book[BUNDLED.version] == replace(BUNDLED, sequence=4)

    async def test_an_older_package_leaves_what_a_newer_one_left(self) -> None:
        newer = snapshot(version="2026.09.01", origin="bundled")
        book = {newer.version: newer}
        status = await Server(book, {}).load()
        assert (status.version, status.source) == ("2026.09.01", "bundled")
        assert set(book) == {"2026.09.01"}

    async def test_two_servers_that_start_together_store_the_package_once(self) -> None:
        book: dict[str, Snapshot] = {}
        status = await Server({}, {}, begin=quicker_other(book, BUNDLED)).load()
        assert status.version == BUNDLED.version
        assert book == {BUNDLED.version: BUNDLED}


class TestRefreshRegistry:
    async def test_new_prices_are_published_and_in_force(self) -> None:
        book: dict[str, Snapshot] = {}
        server = Server(book, FILES | {"openai": published("openai", 8, gpt=DEARER)})
        await server.load()
        status = await server.refresh()
        assert server.input_price("openai", "gpt") == Decimal("0.1")
        assert server.input_price("anthropic", "claude") == Decimal("0.075")
        assert status == RegistryStatus(
            version="2026.11.20",
            digest=book["2026.11.20"].digest,
            source="registry",
            checked_at=NOON,
            fresh_at=NOON,
            stale=False,
            error=None,
            frozen=False,
            refusals=0,
            last_refusal=None,
        )

    async def test_unchanged_content_is_confirmed_and_not_published_again(self) -> None:
        book: dict[str, Snapshot] = {}
        server = Server(book, FILES)
        await server.load()
        status = await server.refresh()
        assert (status.version, status.source, status.stale) == (
            BUNDLED.version,
            "registry",
            False,
        )
        assert list(book) == [BUNDLED.version]

    async def test_a_price_that_comes_back_is_a_version_of_its_own(self) -> None:
        book: dict[str, Snapshot] = {}
        files = dict(FILES)
        server = Server(book, files)
        await server.load()
        files["openai"] = published("openai", 8, gpt=DEARER)
        await server.refresh()
        files["openai"] = published("openai", 9, gpt=entry())
        status = await server.refresh()
        assert list(book) == ["2026.08.18", "2026.11.20", "2026.11.20.2"]
        assert status.version == "2026.11.20.2"
        assert book["2026.11.20.2"].digest == book["2026.08.18"].digest

    @pytest.mark.parametrize(
        "answer",
        [
            HTML,
            FILES["openai"][:-1],
            published(gpt=entry(**{f"{PRICE}input": "free"})),
            published(gpt=entry(**{f"{PRICE}input": Decimal("-1")})),
            published("openai", 6, gpt=DEARER),
            None,
        ],
        ids=["HTML", "cut short", "free", "negative", "older version", "no answer"],
    )
    async def test_one_bad_file_stays_out_and_the_others_are_taken(
        self, answer: bytes | None
    ) -> None:
        files = FILES | {"google": published("google", 6, gemini=DEARER)}
        files = {name: body for name, body in (files | {"openai": answer}).items() if body}
        server = Server({}, files)
        await server.load()
        status = await server.refresh()
        assert server.input_price("openai", "gpt") == Decimal("0.075")
        assert server.input_price("google", "gemini") == Decimal("0.1")
        assert (status.stale, status.source, status.checked_at) == (True, "registry", NOON)
        assert status.error is not None and status.error.startswith("openai: ")

    async def test_an_outage_ages_what_is_in_force_and_the_next_answer_cures_it(self) -> None:
        files = dict(FILES)
        server = Server({}, files)
        await server.load()
        await server.refresh()
        files.clear()
        server.now = NOON + timedelta(hours=2)
        status = await server.refresh()
        assert (status.stale, status.source, status.age_s(server.now)) == (True, "registry", 7200)
        assert status.error is not None and status.error.count("answered 404") == 3
        assert server.input_price("google", "gemini") == Decimal("0.075")
        files.update(FILES)
        status = await server.refresh()
        assert (status.stale, status.age_s(server.now)) == (False, 0)

    async def test_what_another_server_published_is_picked_up_even_in_an_outage(self) -> None:
        book: dict[str, Snapshot] = {}
        here = Server(book, {})
        there = Server(book, FILES | {"openai": published("openai", 8, gpt=DEARER)})
        await here.load()
        await there.load()
        await there.refresh()
        status = await here.refresh()
        assert (status.source, status.version, status.stale) == ("database", "2026.11.20", True)
        assert here.input_price("openai", "gpt") == Decimal("0.1")

    async def test_two_servers_that_find_the_same_publish_it_once(self) -> None:
        book: dict[str, Snapshot] = {BUNDLED.version: BUNDLED}
        files = FILES | {"openai": published("openai", 8, gpt=DEARER)}
        other = Server(book, files)
        other.now = NOON + timedelta(hours=12)  # past midnight on its clock
        await other.refresh()
        (theirs,) = (kept for kept in book.values() if kept.sequence == 2)
        del book[theirs.version]
        here = Server({}, files, begin=quicker_other(book, theirs))
        status = await here.refresh()
        assert status.version == theirs.version == "2026.11.21"
        assert list(book) == [BUNDLED.version, theirs.version]

    async def test_what_a_quicker_server_published_is_built_upon(self) -> None:
        theirs = snapshot(
            *(FILES | {"google": published("google", 6, gemini=DEARER)}).items(), sequence=2
        )
        theirs = replace(theirs, version="2026.11.20")
        book = {BUNDLED.version: BUNDLED}
        files = {"openai": published("openai", 8, gpt=DEARER)}
        here = Server({}, files, begin=quicker_other(book, theirs))
        status = await here.refresh()
        assert status.version == "2026.11.20.2" and len(book) == 3
        assert here.input_price("google", "gemini") == Decimal("0.1")
        assert here.input_price("openai", "gpt") == Decimal("0.1")

    async def test_a_database_that_is_away_leaves_the_last_good_in_force(self) -> None:
        files = FILES | {"openai": published("openai", 8, gpt=DEARER)}
        server = Server({}, files, begin=no_database)
        with pytest.raises(StoreUnavailable):
            await server.refresh()
        assert server.input_price("openai", "gpt") == Decimal("0.075")


def quicker_other(book: dict[str, Snapshot], theirs: Snapshot) -> Begin[RegistryWork]:
    """Return transactions in which another server appends ``theirs`` just before our append."""

    class Raced(MemorySnapshotBook):
        async def append(self, snapshot: Snapshot) -> None:
            book.setdefault(theirs.version, theirs)
            await super().append(snapshot)

    @asynccontextmanager
    async def begin() -> AsyncIterator[Any]:
        yield SimpleNamespace(snapshots=Raced(book))

    return begin
