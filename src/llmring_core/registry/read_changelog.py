"""What changed from version to version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec import Struct

from llmring_core.errors import InvalidField
from llmring_core.registry.changes import Changes, of_providers
from llmring_core.registry.commands import ChangelogQuery
from llmring_core.registry.errors import VersionNotFound
from llmring_core.registry.model import Publication
from llmring_core.registry.ports import Archive, RegistryInForce, RegistryWork
from llmring_core.registry.versions import is_version
from llmring_core.transactions import Begin

MAX_LIMIT = 100


class Changelog(Struct, frozen=True, kw_only=True):
    """Some versions and what each changed, newest first."""

    versions: Sequence[Changes]
    total: int  # versions that the query means
    is_settled: bool  # whether the same query can never be answered differently


@dataclass(frozen=True, slots=True)
class ReadChangelog:
    """Read what the newest versions changed, or what lies between two of them."""

    begin: Begin[RegistryWork]
    registry: RegistryInForce
    archive: Archive

    async def __call__(self, query: ChangelogQuery) -> Changelog:
        """Raises VersionNotFound, InvalidField, CorruptSnapshot, StoreUnavailable."""
        _check(query)
        async with self.begin() as work:
            published = await work.snapshots.publications()
        if query.old is None and query.new is None:
            return await self._newest(query, published)
        new = query.new or self.registry.catalogue.snapshot.version
        places = {each.version: place for place, each in enumerate(published)}
        old = query.old or _before(new, published, places)
        settled = query.old is not None and query.new is not None
        settled = settled and {query.old, query.new} <= places.keys()
        return Changelog(
            versions=[await self._changes(old, new, query.providers)], total=1, is_settled=settled
        )

    async def _newest(self, query: ChangelogQuery, published: Sequence[Publication]) -> Changelog:
        places = {each.version: place for place, each in enumerate(published)}
        if query.since is not None and query.since not in places:
            raise VersionNotFound
        first = 0 if query.since is None else places[query.since] + 1
        meant = published[first:]
        versions = []
        for each in reversed(meant[-query.limit :]):
            old = _before(each.version, published, places)
            versions.append(await self._changes(old, each.version, query.providers))
        return Changelog(versions=versions, total=len(meant), is_settled=False)

    async def _changes(self, old: str | None, new: str, providers: frozenset[str]) -> Changes:
        snapshot = (await self.archive.open(new)).snapshot
        changes = await self.archive.compare(old, new)
        return Changes(
            version=new,
            previous=old,
            published_at=snapshot.published_at,
            changes=of_providers(changes, providers),
        )


def _before(
    version: str, published: Sequence[Publication], places: Mapping[str, int]
) -> str | None:
    """Return the version published before, None when it is the first. Raises VersionNotFound."""
    if version not in places:
        raise VersionNotFound
    place = places[version]
    return published[place - 1].version if place else None


def _check(query: ChangelogQuery) -> None:
    named = {"since": query.since, "from": query.old, "to": query.new}
    for name, version in named.items():
        if version is not None and not is_version(version):
            raise InvalidField(name, "must be a version such as 2026.08.18 or 2026.08.18.2")
    if query.since is not None and (query.old is not None or query.new is not None):
        raise InvalidField("since", "cannot be combined with from and to")
    if not 1 <= query.limit <= MAX_LIMIT:
        raise InvalidField("limit", f"must be from 1 to {MAX_LIMIT}")
