"""The changelog's JSON. Prices leave as JSON numbers with exactly the digits they have."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct, field
from msgspec.json import Encoder

from llmring_core.registry import Change, Changelog, ChangelogQuery, Changes
from llmring_http.conditional import FOREVER, HOUR, Representation, represented
from llmring_http.registry.wire import names

_encoder: Final = Encoder(decimal_format="number")


class ChangelogParams(Struct, frozen=True, kw_only=True):
    since: str | None = None
    limit: int = 10
    from_: str | None = field(default=None, name="from")
    to: str | None = None
    providers: str | None = None

    def query(self) -> ChangelogQuery:
        return ChangelogQuery(
            since=self.since,
            limit=self.limit,
            old=self.from_,
            new=self.to,
            providers=names(self.providers),
        )


class ChangesSummary(Struct, frozen=True, kw_only=True):
    """How many models were touched in each way."""

    added: int
    removed: int
    price_changed: int
    deprecated: int
    reactivated: int
    updated: int


class VersionChanges(Struct, frozen=True, kw_only=True):
    version: str
    previous: str | None  # what it is compared with; null: the first version, with nothing
    released_at: datetime  # UTC
    summary: ChangesSummary
    changes: Sequence[Change]

    @classmethod
    def of(cls, found: Changes) -> "VersionChanges":
        models = found.models_by_type()
        summary = ChangesSummary(
            added=models.get("model.added", 0),
            removed=models.get("model.removed", 0),
            price_changed=models.get("price.changed", 0),
            deprecated=models.get("model.deprecated", 0),
            reactivated=models.get("model.reactivated", 0),
            updated=models.get("model.updated", 0),
        )
        return cls(
            version=found.version,
            previous=found.previous,
            released_at=found.published_at,
            summary=summary,
            changes=found.changes,
        )


class ChangelogBody(Struct, frozen=True, kw_only=True):
    versions: list[VersionChanges]  # newest first
    total: int  # versions that the query means
    has_more: bool


def changelog_of(changelog: Changelog) -> Representation:
    newest = changelog.versions[0].version if changelog.versions else "none"
    return represented(newest, _encoded(changelog))


def changelog_lifetime(changelog: Changelog) -> str:
    """Return how long caches may keep it: the difference of two named versions, for good."""
    return FOREVER if changelog.is_settled else HOUR


def _encoded(changelog: Changelog) -> bytes:
    versions = [VersionChanges.of(changes) for changes in changelog.versions]
    body = ChangelogBody(
        versions=versions, total=changelog.total, has_more=changelog.total > len(versions)
    )
    return _encoder.encode(body)
