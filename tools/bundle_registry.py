"""Make the snapshot that comes with the package from a folder of published provider files.

    PYTHONPATH=src python tools/bundle_registry.py FOLDER

The folder holds ``{provider}/models.json`` as the public registry publishes them. Only facts are
taken over (prices, limits, flags, names, dates); prose is left out.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Raw, json

from llmring_adapters.registry.bundled import FILE, Bundle
from llmring_core.registry import PROVIDERS, Facts, ModelKey, ProviderFile, document_of, read_file
from llmring_core.registry.entries import PROSE


def main(folder: Path) -> None:
    files = [
        read_file(provider, (folder / provider / "models.json").read_bytes())
        for provider in PROVIDERS
    ]
    models: dict[ModelKey, Facts] = {
        key: {member: None if member in PROSE else value for member, value in facts.items()}
        for file in files
        for key, facts in file.models.items()
    }
    published_at = max(_updated_at(file) for file in files)
    bundle = Bundle(
        version=f"{published_at:%Y.%m.%d}",
        published_at=published_at,
        sources={file.provider: file.source for file in files},
        document=Raw(document_of(models).encode()),
    )
    FILE.write_bytes(json.encode(bundle) + b"\n")


def _updated_at(file: ProviderFile) -> datetime:
    """Return when the file was published; the published form is ISO without a zone, for UTC."""
    stated = datetime.fromisoformat(file.source.updated_at or "")
    return stated.replace(tzinfo=UTC) if stated.tzinfo is None else stated.astimezone(UTC)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
