"""Snapshots of the model registry, the prices in them, and what is in force."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, NewType, TypeAlias

from msgspec import Meta, Struct

ModelKey = NewType("ModelKey", str)  # "provider:name", as in the registry

Facts: TypeAlias = Mapping[str, object]  # one model, under the registry's own member names
Origin: TypeAlias = Literal["registry", "bundled"]  # who made a snapshot
Condition: TypeAlias = Literal["current", "stale", "frozen"]
Source: TypeAlias = Literal["registry", "database", "bundled"]  # who vouched for it last


class Provider(Struct, frozen=True, kw_only=True):
    """Where a provider's own API is."""

    name: str
    base_url: str
    models_endpoint: str | None


class Prices(Struct, frozen=True, kw_only=True):
    """US dollars per million tokens; None where the registry states no price."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None
    cache_read: Decimal | None
    cache_write_5m: Decimal | None
    cache_write_1h: Decimal | None
    input_long_context: Decimal | None
    output_long_context: Decimal | None
    output_thinking: Decimal | None
    long_context_threshold: int | None  # tokens; only where long context has its own price


class Quote(Struct, frozen=True, kw_only=True):
    """A model's prices, and the snapshot that states them."""

    model: ModelKey
    prices: Prices
    registry_version: str  # YYYY.MM.DD[.n]
    registry_digest: str  # SHA-256, 64 hex digits
    max_output_tokens: int | None = None  # of one answer, where the registry states it


class SourceFile(Struct, frozen=True, kw_only=True):
    """Which edition of a provider's published file a snapshot was made from."""

    version: int
    updated_at: str | None  # as published
    digest: str  # SHA-256 of what it says of models, prose aside; 64 hex digits


class Snapshot(Struct, frozen=True, kw_only=True):
    """The registry at one moment. Once published it is never rewritten."""

    version: str  # YYYY.MM.DD[.n]
    sequence: int  # 1, 2, 3, ... in order of publication
    digest: str  # SHA-256 of ``document``, 64 hex digits
    published_at: datetime  # UTC
    origin: Origin
    sources: dict[str, SourceFile]  # by provider
    document: str  # RFC 8785 form of {"models": ..., "providers": ...}


class Confirmation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One server's word that a snapshot is what the public registry publishes."""

    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    checked_at: Annotated[datetime, Meta(tz=True)]


class Publication(Struct, frozen=True, kw_only=True):
    """When a version was published."""

    version: str  # YYYY.MM.DD[.n]
    published_at: datetime  # UTC


class Selection(Struct, frozen=True, kw_only=True):
    """Some or all models of one snapshot."""

    snapshot: Snapshot
    models: Mapping[ModelKey, Facts]
    providers: Mapping[str, Provider]


class RegistryStatus(Struct, frozen=True, kw_only=True):
    """What is in force, who vouched for it last, and whether it can still be trusted as new."""

    version: str
    digest: str
    source: Source
    checked_at: datetime | None  # UTC; None: the registry has not been asked yet
    fresh_at: datetime  # UTC; when this content was last known to be the newest
    stale: bool  # nobody can say that there is nothing newer
    error: str | None  # why it is stale
    frozen: bool  # the registry answers, but published nothing for suspiciously long
    refusals: int  # files not taken since this process started
    last_refusal: str | None  # which and why, with the time in front

    @property
    def condition(self) -> Condition:
        """Return the status in one word."""
        return "frozen" if self.frozen else "stale" if self.stale else "current"

    def age_s(self, now: datetime) -> float:
        """Return for how many seconds nobody has confirmed the content."""
        return (now - self.fresh_at).total_seconds()
