"""A server's view of the registry, small enough for a test."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from llmring_adapters.registry.archive import KeptArchive
from llmring_adapters.registry.live import LiveRegistry
from llmring_adapters.registry.memory import MemoryRegistrySource
from llmring_core.aside import Result
from llmring_core.errors import StoreUnavailable
from llmring_core.registry import (
    LoadRegistry,
    RefreshRegistry,
    RegistryWork,
    Snapshot,
)
from llmring_core.transactions import Begin
from tests.unit.registry.builders import NOON, PRICE, entry, keeping, published, snapshot

FILES = {
    "openai": published("openai", 7, gpt=entry()),
    "anthropic": published("anthropic", 9, claude=entry()),
    "google": published("google", 5, gemini=entry()),
}
BUNDLED = snapshot(*FILES.items(), origin="bundled")
DEARER = entry(**{f"{PRICE}input": Decimal("0.1")})
HTML = b"<!DOCTYPE html><title>Sorry</title>"


class Server:
    """One server process: its memory, and the database and registry it is connected to."""

    def __init__(
        self,
        book: dict[str, Snapshot],
        files: dict[str, bytes],
        bundled: Snapshot = BUNDLED,
        begin: Begin[RegistryWork] | None = None,
    ) -> None:
        self.now = NOON
        self.begin = begin or keeping(book)
        self.registry = LiveRegistry(bundled)
        self.load = LoadRegistry(self.begin, self.registry, bundled)
        source = MemoryRegistrySource(files)
        self.archive = KeptArchive(self.begin, self.registry)
        self.refresh = RefreshRegistry(self.begin, self.registry, source, self.clock, at_once)

    def clock(self) -> datetime:
        return self.now

    def input_price(self, provider: str, model: str) -> Decimal | None:
        quote = self.registry.quote(provider, model)
        return quote and quote.prices.input


async def at_once(work: Callable[[], Result]) -> Result:
    return work()


@asynccontextmanager
async def no_database() -> AsyncIterator[Any]:
    raise StoreUnavailable("the database does not answer")
    yield
