"""Rule: how published files become one snapshot document, and what its digest covers.

The document is ``{"models": ..., "providers": ...}`` in RFC 8785 form. Its digest therefore
covers content only: the same content has the same digest whatever its version, and anybody can
recompute it from those two members of a served registry.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Annotated

import rfc8785
from msgspec import Meta, Struct
from msgspec.json import Decoder
from msgspec.structs import asdict

from llmring_core.registry.entries import MAX_INTEGER, carried, completed
from llmring_core.registry.errors import BadRegistryFile
from llmring_core.registry.model import Facts, ModelKey, Provider, Snapshot, SourceFile
from llmring_core.registry.versions import next_version

PROVIDERS: Mapping[str, Provider] = {
    "openai": Provider(
        name="OpenAI", base_url="https://api.openai.com/v1", models_endpoint="/models"
    ),
    "anthropic": Provider(
        name="Anthropic", base_url="https://api.anthropic.com", models_endpoint=None
    ),
    "google": Provider(
        name="Google",
        base_url="https://generativelanguage.googleapis.com",
        models_endpoint="/v1/models",
    ),
}

MAX_MODELS = 5_000  # in one file


class ProviderFile(Struct, frozen=True, kw_only=True):
    """A provider's published file: checked and complete, its numbers exact."""

    provider: str
    source: SourceFile
    models: Mapping[ModelKey, Facts]


class Content(Struct, frozen=True, kw_only=True):
    """What a snapshot document says, its numbers exact."""

    models: dict[ModelKey, dict[str, object]]
    providers: dict[str, Provider]


class _Envelope(Struct, frozen=True, kw_only=True):
    provider: str
    version: Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
    models: Annotated[dict[str, object], Meta(min_length=1, max_length=MAX_MODELS)]
    updated_at: Annotated[str, Meta(max_length=64)] | None = None
    extraction_date: Annotated[str, Meta(max_length=64)] | None = None


_published = Decoder(_Envelope, float_hook=Decimal)
_exact = Decoder(Content, float_hook=Decimal)


def read_file(provider: str, body: bytes) -> ProviderFile:
    """Read a provider's file as published.

    One bad entry refuses the whole file: a price list trusted by halves is worse than
    yesterday's, because nobody could say which half a bill came from.
    Raises: BadRegistryFile.
    """
    try:
        envelope = _published.decode(body)
    except (ValueError, RecursionError) as error:
        raise BadRegistryFile(provider, f"is no registry file: {error}") from None
    if envelope.provider != provider:
        raise BadRegistryFile(provider, "is another provider's file")
    return ProviderFile(
        provider=provider,
        source=SourceFile(
            version=envelope.version, updated_at=envelope.updated_at or envelope.extraction_date
        ),
        models=dict(_completed(provider, key, entry) for key, entry in envelope.models.items()),
    )


def regressions(files: list[ProviderFile], latest: Snapshot) -> dict[str, str]:
    """Return, by provider, why a file is older than the one ``latest`` was made from."""
    seen = {provider: source.version for provider, source in latest.sources.items()}
    return {
        file.provider: f"went back from version {seen[file.provider]} to {file.source.version}"
        for file in files
        if file.source.version < seen.get(file.provider, 0)
    }


def succeeding(latest: Snapshot, files: list[ProviderFile], now: datetime) -> Snapshot:
    """Return the snapshot after ``latest``, or ``latest`` itself when the content is the same.

    Each file replaces its provider's models; what no file speaks of stays as it was.
    """
    replaced = {file.provider for file in files}
    models: dict[ModelKey, Facts] = {
        key: facts
        for key, facts in content_of(latest.document).models.items()
        if facts["provider"] not in replaced
    }
    for file in files:
        models |= file.models
    document = document_of(models)
    digest = digest_of(document)
    if digest == latest.digest:
        return latest
    return Snapshot(
        version=next_version(latest.version, now.date()),
        sequence=latest.sequence + 1,
        digest=digest,
        published_at=now,
        origin="registry",
        sources=latest.sources | {file.provider: file.source for file in files},
        document=document,
    )


def document_of(models: Mapping[ModelKey, Facts]) -> str:
    """Return the snapshot document that states ``models`` and our table of providers."""
    providers = {name: asdict(provider) for name, provider in PROVIDERS.items()}
    entries = {str(key): carried(facts) for key, facts in models.items()}
    return rfc8785.dumps({"models": entries, "providers": providers}).decode()


def digest_of(document: str) -> str:
    """Return the SHA-256 of a snapshot document, 64 hex digits."""
    return sha256(document.encode()).hexdigest()


def content_of(document: str) -> Content:
    """Return what a snapshot document says; every non-integer number is a Decimal."""
    return _exact.decode(document)


def _completed(provider: str, key: str, entry: object) -> tuple[ModelKey, Facts]:
    try:
        return ModelKey(key), completed(provider, key, entry)
    except ValueError as error:
        raise BadRegistryFile(provider, f"{key[:100]} {error}") from None
