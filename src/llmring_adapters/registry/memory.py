"""The snapshot book in a dictionary, and a public registry that is given its files."""

from collections.abc import Mapping, Sequence

from llmring_core.registry import (
    PROVIDERS,
    BadRegistryFile,
    Fetched,
    ProviderFile,
    Publication,
    RegistrySource,
    Snapshot,
    SnapshotBook,
    SnapshotTaken,
    VersionNotFound,
    read_file,
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

    async def publications(self) -> Sequence[Publication]:
        return [
            Publication(version=kept.version, published_at=kept.published_at)
            for kept in sorted(self._snapshots.values(), key=lambda kept: kept.sequence)
        ]

    async def holding(self, provider: str, number: int) -> str:
        holding = [
            kept
            for kept in self._snapshots.values()
            if provider in kept.sources and kept.sources[provider].version == number
        ]
        if not holding:
            raise VersionNotFound
        return max(holding, key=lambda kept: kept.sequence).version


class MemoryRegistrySource(RegistrySource):
    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    async def fetch(self) -> Fetched:
        files: list[ProviderFile] = []
        problems: dict[str, str] = {}
        for provider in PROVIDERS:
            try:
                files.append(read_file(provider, self._files[provider]))
            except KeyError:
                problems[provider] = "answered 404"
            except BadRegistryFile as problem:
                problems[provider] = problem.reason
        return Fetched(files=files, problems=problems)
