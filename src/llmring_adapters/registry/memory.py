"""The snapshot book in a dictionary, and a public registry that is given its files."""

from collections.abc import Mapping

from llmring_core.registry import (
    RegistrySource,
    RegistryUnavailable,
    Snapshot,
    SnapshotBook,
    SnapshotTaken,
    VersionNotFound,
)


class MemorySnapshotBook(SnapshotBook):
    def __init__(self, snapshots: dict[str, Snapshot]) -> None:
        self._snapshots = snapshots

    async def append(self, snapshot: Snapshot) -> None:
        taken = {kept.sequence for kept in self._snapshots.values()}
        if snapshot.version in self._snapshots or snapshot.sequence in taken:
            raise SnapshotTaken(snapshot.version)
        self._snapshots[snapshot.version] = snapshot

    async def latest(self) -> Snapshot | None:
        return max(self._snapshots.values(), key=lambda kept: kept.sequence, default=None)

    async def get(self, version: str) -> Snapshot:
        try:
            return self._snapshots[version]
        except KeyError:
            raise VersionNotFound from None


class MemoryRegistrySource(RegistrySource):
    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    async def fetch(self, provider: str) -> bytes:
        try:
            return self._files[provider]
        except KeyError:
            raise RegistryUnavailable(provider, "answered 404") from None
