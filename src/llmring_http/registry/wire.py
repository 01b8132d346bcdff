"""The registry endpoints' JSON: our aggregate, and the public registry's own files mirrored.

Prices leave as JSON numbers with exactly the digits they have.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.json import Encoder

from llmring_core.registry import (
    CAPABILITIES,
    DERIVED,
    Facts,
    ModelKey,
    Provider,
    RegistryQuery,
    RegistryStatus,
    Selection,
    number_of,
)
from llmring_http.conditional import FOREVER, HOUR

_encoder: Final = Encoder(decimal_format="number")


class RegistryBody(Struct, frozen=True, kw_only=True):
    version: str
    generated_at: datetime  # the snapshot's own time, UTC
    digest: str  # SHA-256 of the RFC 8785 form of {"models", "providers"}, unfiltered
    models: Mapping[ModelKey, Facts]
    providers: Mapping[str, Provider]
    capabilities: list[str]  # what ``capabilities=`` understands

    @classmethod
    def encoded(cls, selection: Selection) -> bytes:
        snapshot = selection.snapshot
        body = cls(
            version=snapshot.version,
            generated_at=snapshot.published_at,
            digest=snapshot.digest,
            models=selection.models,
            providers=selection.providers,
            capabilities=sorted(CAPABILITIES),
        )
        return _encoder.encode(body)


class MirroredFile(Struct, frozen=True, kw_only=True):
    """A provider's file in the form it is published in, read by the client as its registry."""

    provider: str
    version: int
    updated_at: str | None
    models: Mapping[ModelKey, Facts]

    @classmethod
    def encoded(cls, provider: str, selection: Selection) -> bytes:
        source = selection.snapshot.sources[provider]
        published = {
            key: {member: value for member, value in facts.items() if member not in DERIVED}
            for key, facts in selection.models.items()
        }
        body = cls(
            provider=provider,
            version=source.version,
            updated_at=source.updated_at,
            models=published,
        )
        return _encoder.encode(body)


class ManifestEntry(Struct, frozen=True, kw_only=True):
    file: str
    model_count: int
    last_updated: str | None
    version: int


class Manifest(Struct, frozen=True, kw_only=True):
    version: str
    updated_at: datetime
    providers: Mapping[str, ManifestEntry]

    @classmethod
    def encoded(cls, selection: Selection) -> bytes:
        snapshot = selection.snapshot
        owners = [facts["provider"] for facts in selection.models.values()]
        entries = {
            provider: ManifestEntry(
                file=f"{provider}/models.json",
                model_count=owners.count(provider),
                last_updated=source.updated_at,
                version=source.version,
            )
            for provider, source in snapshot.sources.items()
        }
        body = cls(version=snapshot.version, updated_at=snapshot.published_at, providers=entries)
        return _encoder.encode(body)


def query(version: str | None, providers: str | None, capabilities: str | None) -> RegistryQuery:
    """Read the query parameters; an empty one is an absent one."""
    return RegistryQuery(
        version=(version or "").strip() or None,
        providers=names(providers),
        capabilities=names(capabilities),
    )


def headers_of(status: RegistryStatus, selection: Selection, now: datetime) -> dict[str, str]:
    """Return how far what is in force can be trusted as new; nothing for another version."""
    if selection.snapshot.version != status.version:
        return {}
    return {"Age": str(max(0, int(status.age_s(now)))), "X-Registry-Status": status.condition}


def lifetime_of(version: str) -> str:
    """Return how long caches may keep a version; what a number gathers may still grow."""
    return FOREVER if number_of(version) is None else HOUR


def names(text: str | None) -> frozenset[str]:
    """Read a list whose items are separated by commas; blanks around and between do not count."""
    items = (item.strip() for item in (text or "").split(","))
    return frozenset(item for item in items if item)
