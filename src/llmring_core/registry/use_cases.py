"""What the registry context does. Writes first, reads after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from llmring_core.aside import Aside
from llmring_core.clock import Clock
from llmring_core.registry.catalogue import Catalogue
from llmring_core.registry.commands import RegistryQuery
from llmring_core.registry.documents import PROVIDERS, ProviderFile, succeeding
from llmring_core.registry.errors import (
    CorruptSnapshot,
    ProviderNotFound,
    SnapshotTaken,
    VersionNotFound,
)
from llmring_core.registry.model import Confirmation, RegistryStatus, Selection, Snapshot
from llmring_core.registry.ports import Archive, RegistryInForce, RegistrySource, RegistryWork
from llmring_core.registry.refusals import refusals
from llmring_core.registry.status import checked, unconfirmed
from llmring_core.registry.versions import number_of, order_of
from llmring_core.transactions import Begin


@dataclass(frozen=True, slots=True)
class LoadRegistry:
    """Put the last good snapshot in force when the process starts, without any network."""

    begin: Begin[RegistryWork]
    registry: RegistryInForce
    bundled: Snapshot

    async def __call__(self) -> RegistryStatus:
        """The database's latest goes first, unless it is damaged or an older package put it there.

        Raises: StoreUnavailable; what was in force stays so.
        """
        try:
            async with self.begin() as work:
                kept = await work.snapshots.latest()
        except CorruptSnapshot as error:
            return self._put(self.bundled, str(error))
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

    def _put(self, snapshot: Snapshot, error: str | None = None) -> RegistryStatus:
        status = unconfirmed(snapshot)
        status = status if error is None else replace(status, error=error)
        self.registry.put(Catalogue(snapshot), status)
        return status


@dataclass(frozen=True, slots=True)
class RefreshRegistry:
    """Ask the public registry, publish what is new, and put the newest snapshot in force."""

    begin: Begin[RegistryWork]
    registry: RegistryInForce
    source: RegistrySource
    clock: Clock
    aside: Aside

    async def __call__(self) -> RegistryStatus:
        """Whatever the registry answers ends in the status; the last good content stays in force.

        Raises: StoreUnavailable; what was in force stays so.
        """
        fetched = await self.source.fetch()
        now = self.clock()
        snapshot, refused = await self._published(fetched.files, now)
        problems = {**fetched.problems, **refused}
        status = checked(self.registry.status, snapshot, fetched.files, problems, now)
        self.registry.put(await self._opened(snapshot), status)
        return status

    async def take_word(self, told: Confirmation) -> RegistryStatus | None:
        """Put the newest snapshot in force as current, if it is the one ``told`` means.

        Raises: StoreUnavailable; what was in force stays so.
        """
        latest = await self._latest()
        if latest.digest != told.digest:
            return None
        confirmed_at = min(told.checked_at, self.clock())
        status = checked(self.registry.status, latest, [], {}, confirmed_at)
        self.registry.put(await self._opened(latest), status)
        return status

    async def _published(
        self, files: Sequence[ProviderFile], now: datetime
    ) -> tuple[Snapshot, dict[str, str]]:
        latest = await self._latest()
        refused = refusals(files, latest)
        taken = [file for file in files if file.provider not in refused]
        snapshot = await self.aside(lambda: succeeding(latest, taken, now))
        if snapshot is latest:
            return latest, refused
        try:
            async with self.begin() as work:
                await work.snapshots.append(snapshot)
        except SnapshotTaken:  # another process was quicker: build on its snapshot
            return await self._published(files, now)
        return snapshot, refused

    async def _latest(self) -> Snapshot:
        """Return what the next snapshot follows.

        In place of a damaged one that is what is in force. It has no digest then, so that there
        is a next snapshot, and servers that start later find that one.
        """
        in_force = self.registry.catalogue.snapshot
        try:
            async with self.begin() as work:
                return await work.snapshots.latest() or in_force
        except CorruptSnapshot as damaged:
            return replace(in_force, version=damaged.version, sequence=damaged.sequence, digest="")

    async def _opened(self, snapshot: Snapshot) -> Catalogue:
        before = self.registry.catalogue
        known = before.snapshot.version, before.snapshot.digest
        if (snapshot.version, snapshot.digest) == known:
            return before
        return await self.aside(lambda: Catalogue(snapshot))


@dataclass(frozen=True, slots=True)
class ReadRegistry:
    """Read some or all models, of the snapshot in force or of an older one."""

    registry: RegistryInForce
    archive: Archive

    async def __call__(self, query: RegistryQuery) -> Selection:
        """Raises VersionNotFound, InvalidField, CorruptSnapshot, StoreUnavailable."""
        catalogue = self.registry.catalogue
        if query.version is not None:
            catalogue = await self.archive.open(query.version)
        return catalogue.select(query.providers, query.capabilities)


@dataclass(frozen=True, slots=True)
class ReadVersion:
    """Read everything one published snapshot says."""

    archive: Archive

    async def __call__(self, version: str) -> Selection:
        """Raises VersionNotFound, CorruptSnapshot, StoreUnavailable."""
        return (await self.archive.open(version)).select()


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
class ReadProviderEdition:
    """Read one provider's models as of the Nth edition of its file."""

    begin: Begin[RegistryWork]
    archive: Archive

    async def __call__(self, provider: str, edition: str) -> Selection:
        """Raises ProviderNotFound, VersionNotFound, CorruptSnapshot, StoreUnavailable."""
        if provider not in PROVIDERS:
            raise ProviderNotFound
        number = number_of(edition)
        if number is None:
            raise VersionNotFound
        async with self.begin() as work:
            version = await work.snapshots.holding(provider, number)
        return (await self.archive.open(version)).select({provider}, set())


@dataclass(frozen=True, slots=True)
class ReadRegistryStatus:
    """Say what is in force, and whether the public registry still vouches for it."""

    registry: RegistryInForce

    async def __call__(self) -> RegistryStatus:
        return self.registry.status
