"""Valid registry objects with awkward values; a test states only what it is about."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from msgspec import json

from llmring_adapters.registry.memory import MemorySnapshotBook
from llmring_core.registry import (
    Catalogue,
    RegistryWork,
    Snapshot,
    digest_of,
    document_of,
    read_file,
)
from llmring_core.transactions import Begin

NOON = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)
PRICE = "dollars_per_million_tokens_"
NUMBERS = json.Encoder(decimal_format="number")


def entry(**changes: Any) -> dict[str, Any]:
    """Return a published model; prices are given as numbers or Decimals."""
    facts = {
        "display_name": "Modèle №1",
        "model_aliases": [],
        f"{PRICE}input": Decimal("0.075"),
        f"{PRICE}output": Decimal("0.3"),
        "max_input_tokens": 1_040_384,
        "supports_vision": True,
        "max_temperature": Decimal("2.0"),
    }
    return facts | changes


def published(provider: str = "openai", version: int = 7, **models: Mapping[str, Any]) -> bytes:
    """Return a provider's file; a model's name is its key, ``_`` standing for ``-``."""
    named = {name.replace("_", "-"): facts for name, facts in (models or {"m": entry()}).items()}
    return NUMBERS.encode(
        {
            "provider": provider,
            "version": version,
            "updated_at": "2026-08-18T17:29:16.542543",
            "models": {f"{provider}:{name}": facts for name, facts in named.items()},
        }
    )


def snapshot(*files: tuple[str, bytes], **changes: Any) -> Snapshot:
    """Return a snapshot of these files, by provider; of one small openai file if there are none."""
    read = [read_file(provider, body) for provider, body in files or [("openai", published())]]
    document = document_of({key: facts for file in read for key, facts in file.models.items()})
    fields: dict[str, Any] = {
        "version": "2026.08.18",
        "sequence": 1,
        "digest": digest_of(document),
        "published_at": datetime(2026, 8, 18, 21, 5, 3, 715411, tzinfo=UTC),
        "origin": "registry",
        "sources": {file.provider: file.source for file in read},
        "document": document,
    }
    return Snapshot(**(fields | changes))


def catalogue(*files: tuple[str, bytes]) -> Catalogue:
    return Catalogue(snapshot(*files))


def keeping(snapshots: dict[str, Snapshot]) -> Begin[RegistryWork]:
    """Return transactions over ``snapshots``; a failed block is not rolled back."""

    @asynccontextmanager
    async def begin() -> AsyncIterator[Any]:
        yield SimpleNamespace(snapshots=MemorySnapshotBook(snapshots))

    return begin
