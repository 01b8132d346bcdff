"""Rule: how published files become one snapshot document, and what its digest covers.

The document is ``{"models": ..., "providers": ...}`` in RFC 8785 form. Its digest therefore
covers content only: the same content has the same digest whatever its version, and anybody can
recompute it from those two members of a served registry.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from json import JSONDecoder
from typing import Annotated

import rfc8785
from msgspec import Meta, Struct
from msgspec.json import Decoder
from msgspec.structs import asdict

from llmring_core.registry.entries import DERIVED, MAX_INTEGER, PROSE, carried, completed
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


class Fetched(Struct, frozen=True, kw_only=True):
    """What the public registry answered."""

    files: Sequence[ProviderFile]
    problems: Mapping[str, str]  # by provider: why it has no file here


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


class _Served(Struct, frozen=True, kw_only=True):
    version: str
    generated_at: datetime
    models: dict[str, object]
    providers: dict[str, object]


_served = Decoder(_Served, float_hook=Decimal)
_published = Decoder(_Envelope, float_hook=Decimal)
_exact = Decoder(Content, float_hook=Decimal)


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Raises ValueError when a member is given twice: nobody could say which one counts."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is given twice")
    return members


_once = JSONDecoder(object_pairs_hook=_members)


def read_file(provider: str, body: bytes) -> ProviderFile:
    """Read a provider's file as published.

    One bad entry refuses the whole file: a price list trusted by halves is worse than
    yesterday's, because nobody could say which half a bill came from.
    Raises: BadRegistryFile.
    """
    try:
        envelope = _published.decode(body)
        _once.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise BadRegistryFile(provider, f"is no registry file: {error}") from None
    if envelope.provider != provider:
        raise BadRegistryFile(provider, "is another provider's file")
    models = dict(_completed(provider, key, entry) for key, entry in envelope.models.items())
    return ProviderFile(
        provider=provider,
        source=SourceFile(
            version=envelope.version,
            updated_at=envelope.updated_at or envelope.extraction_date,
            digest=_digest_of_models(models),
        ),
        models=models,
    )


def succeeding(latest: Snapshot, files: Sequence[ProviderFile], now: datetime) -> Snapshot:
    """Return the snapshot after ``latest``, or ``latest`` itself when nothing is new.

    A new edition of a file is new, even where it says the same.

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
    sources = latest.sources | {file.provider: file.source for file in files}
    if digest == latest.digest and _editions(sources) == _editions(latest.sources):
        return latest
    return Snapshot(
        version=next_version(latest.version, now.date()),
        sequence=latest.sequence + 1,
        digest=digest,
        published_at=now,
        origin="registry",
        sources=sources,
        document=document,
    )


def _editions(sources: Mapping[str, SourceFile]) -> Mapping[str, int]:
    return {provider: source.version for provider, source in sources.items()}


def document_of(models: Mapping[ModelKey, Facts]) -> str:
    """Return the snapshot document that states ``models`` and our table of providers."""
    providers = {name: asdict(provider) for name, provider in PROVIDERS.items()}
    entries = {str(key): carried(facts) for key, facts in models.items()}
    return rfc8785.dumps({"models": entries, "providers": providers}).decode()


def digest_of(document: str) -> str:
    """Return the SHA-256 of a snapshot document, 64 hex digits."""
    return sha256(document.encode()).hexdigest()


def snapshot_in(served: bytes) -> Snapshot:
    """Read a snapshot as ``/registry/v/{version}/registry.json`` serves it; its digest is computed.

    Raises: BadRegistryFile.
    """
    try:
        found = _served.decode(served)
        stated = carried({"models": found.models, "providers": found.providers})
        document = rfc8785.dumps(stated).decode()
    except (ValueError, TypeError, RecursionError) as error:
        raise BadRegistryFile("registry", f"is no snapshot: {error}") from None
    return Snapshot(
        version=found.version,
        sequence=1,
        digest=digest_of(document),
        published_at=found.generated_at,
        origin="registry",
        sources={},
        document=document,
    )


def content_of(document: str) -> Content:
    """Return what a snapshot document says; every non-integer number is a Decimal."""
    return _exact.decode(document)


def _digest_of_models(models: Mapping[ModelKey, Facts]) -> str:
    """Return what tells two editions of a file apart, however each is written and filled up."""
    stated = {
        str(key): carried({name: value for name, value in facts.items() if _tells(name, value)})
        for key, facts in models.items()
    }
    return sha256(rfc8785.dumps(stated)).hexdigest()


def _tells(member: str, value: object) -> bool:
    return value is not None and value is not False and member not in (*DERIVED, *PROSE)


def _completed(provider: str, key: str, entry: object) -> tuple[ModelKey, Facts]:
    try:
        return ModelKey(key), completed(provider, key, entry)
    except ValueError as error:
        raise BadRegistryFile(provider, f"{key[:100]} {error}") from None
