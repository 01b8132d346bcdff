"""Every file the public registry ever published, where a copy lies beside the repository."""

from pathlib import Path

import pytest

from llmring_core.registry import PROVIDERS, Catalogue, read_file
from tests.unit.registry.builders import snapshot

COPIES = [parent / "shared" / "data" / "registry" for parent in Path(__file__).parents]
FOLDER = next((copy for copy in COPIES if copy.is_dir()), None)
FILES = sorted(FOLDER.glob("*/v/*/models.json")) if FOLDER else []

pytestmark = pytest.mark.skipif(
    FOLDER is None, reason="no copy of the published registry beside us"
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(file.parts[-4:-1]))
def test_every_edition_is_accepted_whole(file: Path) -> None:
    edition = read_file(file.parts[-4], file.read_bytes())
    assert edition.models and edition.source.version == int(file.parts[-2])


def test_the_current_files_price_every_model_under_its_own_name() -> None:
    assert FOLDER is not None
    bodies = [(name, (FOLDER / name / "models.json").read_bytes()) for name in PROVIDERS]
    current = Catalogue(snapshot(*bodies))
    for key, facts in current.select().models.items():
        quote = current.quote(str(facts["provider"]), str(facts["model_name"]))
        assert quote is not None and quote.model == key
