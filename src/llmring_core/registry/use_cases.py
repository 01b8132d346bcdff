"""What the registry context does. Writes first, reads after."""

from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from llmring_core.clock import Clock
from llmring_core.registry.catalogue import Catalogue
from llmring_core.registry.commands import RegistryQuery
from llmring_core.registry.documents import (
    PROVIDERS,
    ProviderFile,
    read_file,
    regressions,
    succeeding,
)
from llmring_core.registry.errors import (
    BadRegistryFile,
    ProviderNotFound,
    RegistryUnavailable,
    SnapshotTaken,
)
from llmring_core.registry.model import RegistryStatus, Selection, Snapshot, Source, unconfirmed
from llmring_core.registry.ports import RegistryInForce, RegistrySource, RegistryWork
from llmring_core.registry.versions import order_of
from llmring_core.transactions import Begin


@dataclass(frozen=True, slots=True)
class LoadRegistry:
    """Put the last good snapshot in force when the process starts, without any network."""

    begin: Begin[RegistryWork]
    registry: RegistryInForce
    bundled: Snapshot

    async def __call__(self) -> RegistryStatus:
        """The database's latest goes first, unless an older package put it there.

        Raises: StoreUnavailable; what was in force stays so.
        """
        async with self.begin() as work:
            kept = await work.snapshots.latest()
        if kept is None:
            return await self._publish(1)
        if kept.origin == "bundled" and order_of(kept.version) < order_of(self.bundled.version):
            return await self._publish(kept.sequence + 1)
        return self._put(kept)

    async def _publish(self, sequence: int) -> RegistryStatus:
        snapshot = replace(self.bundled, sequence=sequence)
        try:
            async with self.begin() as work:
                await work.snapshots.append(snapshot)
        except SnapshotTaken:  # another process starts at the same time and was quicker
            return await self()
        return self._put(snapshot)

    def _put(self, snapshot: Snapshot) -> RegistryStatus:
        status = unconfirmed(snapshot)
        self.registry.put(Catalogue(snapshot), status)
        return status


@dataclass(frozen=True, slots=True)
class RefreshRegistry:
    """Ask the public registry, publish what is new, and put the newest snapshot in force."""

    begin: Begin[RegistryWork]
    registry: RegistryInForce
    source: RegistrySource
    clock: Clock

    async def __call__(self) -> RegistryStatus:
        """Whatever the registry answers ends in the status; the last good content stays in force.

        Raises: StoreUnavailable; what was in force stays so.
        """
        now = self.clock()
        files, problems = await self._fetched()
        snapshot, refused = await self._published(files, now)
        return self._put(snapshot, problems | refused, now)

    async def _fetched(self) -> tuple[list[ProviderFile], dict[str, str]]:
        files: list[ProviderFile] = []
        problems: dict[str, str] = {}
        for provider in PROVIDERS:
            try:
                files.append(read_file(provider, await self.source.fetch(provider)))
            except (RegistryUnavailable, BadRegistryFile) as problem:
                problems[provider] = problem.reason
        return files, problems

    async def _published(
        self, files: list[ProviderFile], now: datetime
    ) -> tuple[Snapshot, dict[str, str]]:
        async with self.begin() as work:
            latest = await work.snapshots.latest() or self.registry.catalogue.snapshot
        refused = regressions(files, latest)
        taken = [file for file in files if file.provider not in refused]
        snapshot = succeeding(latest, taken, now)
        if snapshot is latest:
            return latest, refused
        try:
            async with self.begin() as work:
                await work.snapshots.append(snapshot)
        except SnapshotTaken:  # another process was quicker: build on its snapshot
            return await self._published(files, now)
        return snapshot, refused

    def _put(self, snapshot: Snapshot, problems: dict[str, str], now: datetime) -> RegistryStatus:
        before = self.registry.status
        moved = (snapshot.version, snapshot.digest) != (before.version, before.digest)
        source: Source = "database" if moved else before.source
        status = RegistryStatus(
            version=snapshot.version,
            digest=snapshot.digest,
            source="registry" if len(problems) < len(PROVIDERS) else source,
            checked_at=now,
            fresh_at=before.fresh_at if problems else now,
            stale=bool(problems),
            error="; ".join(f"{name}: {why}" for name, why in problems.items()) or None,
        )
        self.registry.put(Catalogue(snapshot) if moved else self.registry.catalogue, status)
        return status


@dataclass(frozen=True, slots=True)
class ReadRegistry:
    """Read some or all models, of the snapshot in force or of an older one."""

    begin: Begin[RegistryWork]
    registry: RegistryInForce

    async def __call__(self, query: RegistryQuery) -> Selection:
        """Raises VersionNotFound, InvalidField, StoreUnavailable."""
        catalogue = self.registry.catalogue
        if query.version is not None:
            catalogue = await _opened(query.version, self.registry, self.begin)
        return catalogue.select(query.providers, query.capabilities)


@dataclass(frozen=True, slots=True)
class ReadVersion:
    """Read everything one published snapshot says."""

    begin: Begin[RegistryWork]
    registry: RegistryInForce

    async def __call__(self, version: str) -> Selection:
        """Raises VersionNotFound, StoreUnavailable."""
        catalogue = await _opened(version, self.registry, self.begin)
        return catalogue.select()


@dataclass(frozen=True, slots=True)
class ReadProviderFile:
    """Read one provider's models of the snapshot in force."""

    registry: RegistryInForce

    async def __call__(self, provider: str) -> Selection:
        """Raises ProviderNotFound."""
        catalogue = self.registry.catalogue
        if provider not in catalogue.snapshot.sources:
            raise ProviderNotFound
        return catalogue.select({provider}, set())


@dataclass(frozen=True, slots=True)
class ReadRegistryStatus:
    """Say what is in force, and whether the public registry still vouches for it."""

    registry: RegistryInForce

    async def __call__(self) -> RegistryStatus:
        return self.registry.status


async def _opened(version: str, registry: RegistryInForce, begin: Begin[RegistryWork]) -> Catalogue:
    if version == registry.catalogue.snapshot.version:
        return registry.catalogue
    order_of(version)  # no store is asked for what cannot be a version
    async with begin() as work:
        return Catalogue(await work.snapshots.get(version))
