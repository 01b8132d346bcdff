"""Published versions, opened in a thread, each once, and the last few kept."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from msgspec.structs import replace

from llmring_core.registry import (
    PROVIDERS,
    Archive,
    Catalogue,
    Change,
    Facts,
    ModelKey,
    RegistryInForce,
    RegistryWork,
    Snapshot,
    VersionNotFound,
    compared,
    digest_of,
    document_of,
    number_of,
    order_of,
)
from llmring_core.transactions import Begin

CATALOGUES = 8  # a few megabytes each
DIFFERENCES = 128

Kept = TypeVar("Kept")


class KeptArchive(Archive):
    """Whoever asks for what is being opened waits for it, and does not open it again."""

    def __init__(self, begin: Begin[RegistryWork], registry: RegistryInForce) -> None:
        self._begin = begin
        self._registry = registry
        self._catalogues: _LastFew[Catalogue] = _LastFew(CATALOGUES)
        self._differences: _LastFew[Sequence[Change]] = _LastFew(DIFFERENCES)

    async def open(self, version: str) -> Catalogue:
        current = self._registry.catalogue
        if version == current.snapshot.version:
            return current
        number = number_of(version)
        if number is not None:  # what it means may grow with each refresh
            key = version, current.snapshot.version
            return await self._catalogues.get(key, lambda: self._merged(number))
        order_of(version)  # no store is asked for what cannot be a version
        return await self._catalogues.get(version, lambda: self._opened(version))

    async def compare(self, old: str | None, new: str) -> Sequence[Change]:
        before = {} if old is None else (await self.open(old)).select().models
        after = (await self.open(new)).select().models
        key = old, new, self._registry.catalogue.snapshot.version

        async def difference() -> Sequence[Change]:
            return await asyncio.to_thread(compared, before, after)

        return await self._differences.get(key, difference)

    async def _opened(self, version: str) -> Catalogue:
        async with self._begin() as work:
            snapshot = await work.snapshots.get(version)
        return await asyncio.to_thread(Catalogue, snapshot)

    async def _merged(self, number: int) -> Catalogue:
        found: dict[str, Catalogue] = {}
        for provider in PROVIDERS:
            try:
                async with self._begin() as work:
                    version = await work.snapshots.holding(provider, number)
            except VersionNotFound:
                continue
            found[provider] = await self.open(version)
        if not found:
            raise VersionNotFound
        return await asyncio.to_thread(_merged, str(number), found)


class _LastFew(Generic[Kept]):
    """The values asked for last, each made once however many wait for it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: dict[Hashable, Kept] = {}
        self._under_way: dict[Hashable, asyncio.Task[Kept]] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[Kept]]) -> Kept:
        if key in self._kept:
            self._kept[key] = value = self._kept.pop(key)  # now the youngest
            return value
        if key not in self._under_way:
            self._under_way[key] = asyncio.create_task(self._make(key, make))
        return await asyncio.shield(self._under_way[key])  # others wait for it, too

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[Kept]]) -> Kept:
        try:
            value = self._kept[key] = await make()
        finally:
            del self._under_way[key]
        if len(self._kept) > self._limit:
            del self._kept[next(iter(self._kept))]
        return value


def _merged(version: str, catalogues: dict[str, Catalogue]) -> Catalogue:
    """Return one catalogue with each provider's models from its own."""
    models: dict[ModelKey, Facts] = {}
    for provider, catalogue in catalogues.items():
        models |= catalogue.select({provider}, set()).models
    snapshots = {provider: catalogue.snapshot for provider, catalogue in catalogues.items()}
    newest: Snapshot = max(snapshots.values(), key=lambda snapshot: snapshot.sequence)
    document = document_of(models)
    sources = {provider: snapshot.sources[provider] for provider, snapshot in snapshots.items()}
    return Catalogue(
        replace(
            newest, version=version, digest=digest_of(document), sources=sources, document=document
        )
    )
