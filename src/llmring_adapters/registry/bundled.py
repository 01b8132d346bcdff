"""The snapshot that comes with the package, for a first start without network."""

from datetime import datetime
from functools import cache
from pathlib import Path

from msgspec import Raw, Struct, json

from llmring_core.registry import Snapshot, SourceFile, digest_of

FILE = Path(__file__).with_name("bundled.json")


class Bundle(Struct, frozen=True, kw_only=True):
    """The file's form; ``document`` is in RFC 8785 form, byte for byte what the digest covers."""

    version: str
    published_at: datetime
    sources: dict[str, SourceFile]
    document: Raw


@cache
def bundled_snapshot() -> Snapshot:
    """Return the snapshot made by ``tools/bundle_registry.py``, as the first of all."""
    bundle = json.decode(FILE.read_bytes(), type=Bundle)
    document = bytes(bundle.document).decode()
    return Snapshot(
        version=bundle.version,
        sequence=1,
        digest=digest_of(document),
        published_at=bundle.published_at,
        origin="bundled",
        sources=bundle.sources,
        document=document,
    )
