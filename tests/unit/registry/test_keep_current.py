"""Of several servers one asks the registry, and nobody believes more than he can check."""

from datetime import timedelta
from decimal import Decimal

import pytest

from llmring_adapters.registry.board import MemoryCheckBoard
from llmring_core.errors import StoreUnavailable
from llmring_core.registry import Confirmation, KeepRegistryCurrent, Snapshot
from tests.unit.registry.builders import NOON, published, snapshot
from tests.unit.registry.servers import DEARER, FILES, Server, no_database

NEW = FILES | {"openai": published("openai", 8, gpt=DEARER)}


class Pair:
    """Two servers with one database and one board; ``there`` alone reaches the registry."""

    def __init__(self) -> None:
        self.book: dict[str, Snapshot] = {}
        self.board = MemoryCheckBoard()
        self.here, self.there = Server(self.book, {}), Server(self.book, NEW)

    def keep(self, server: Server) -> KeepRegistryCurrent:
        return KeepRegistryCurrent(server.refresh, self.board, server.clock, valid_s=60)


@pytest.fixture
async def pair() -> Pair:
    pair = Pair()
    await pair.here.load()
    await pair.there.load()
    return pair


async def test_what_one_server_found_is_in_force_on_the_other(pair: Pair) -> None:
    await pair.keep(pair.there)()
    pair.here.now = NOON + timedelta(seconds=60)
    status = await pair.keep(pair.here)()
    assert (status.stale, status.source, status.version) == (False, "registry", "2026.11.20")
    assert status.checked_at == status.fresh_at == NOON
    assert pair.here.input_price("openai", "gpt") == Decimal("0.1")


@pytest.mark.parametrize("after_s", [61, -6])
async def test_a_word_too_old_or_from_the_future_does_not_count(pair: Pair, after_s: int) -> None:
    await pair.keep(pair.there)()
    pair.here.now = NOON + timedelta(seconds=after_s)
    status = await pair.keep(pair.here)()
    assert status.stale and status.checked_at == pair.here.now


async def test_a_word_that_the_database_does_not_bear_out_does_not_count(pair: Pair) -> None:
    other = snapshot(("openai", published(m=DEARER)))
    await pair.board.write(Confirmation(digest=other.digest, checked_at=NOON))
    assert (await pair.keep(pair.here)()).stale
    assert pair.here.input_price("openai", "gpt") == Decimal("0.075")


async def test_a_word_from_a_clock_slightly_ahead_is_never_newer_than_now(pair: Pair) -> None:
    await pair.keep(pair.there)()
    pair.here.now = NOON - timedelta(seconds=3)
    status = await pair.keep(pair.here)()
    assert not status.stale and status.age_s(pair.here.now) == 0


async def test_what_was_not_found_is_not_told(pair: Pair) -> None:
    await pair.keep(pair.here)()
    assert await pair.board.read() is None


async def test_a_check_that_could_not_be_finished_is_not_told(pair: Pair) -> None:
    server = Server({}, NEW, begin=no_database)
    with pytest.raises(StoreUnavailable):
        await pair.keep(server)()
    assert await pair.board.read() is None
