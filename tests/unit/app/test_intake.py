"""What the server's way into the ledger commits is read back by its other connections."""

from pathlib import Path

import pytest

from llmring_app.container import Container
from llmring_app.database import opened
from llmring_app.settings import Settings
from llmring_core.usage import Entry
from tests.builders.kernel import NOON, P1
from tests.builders.usage import EVERYTHING, RECORD


@pytest.mark.parametrize("place", ["memory", "file"])
async def test_what_is_taken_on_sqlite_is_read_back(tmp_path: Path, place: str) -> None:
    url = "sqlite://" if place == "memory" else f"sqlite:///{tmp_path}/llmring.db"
    container = Container(settings=Settings(database_url=url))
    async with opened(container):
        await container.intake().take(Entry(record=RECORD, answers=(), taken_at=NOON))
        await container.intake().close()
        async with container.read()() as work:
            assert await work.usage.newest(P1, EVERYTHING, limit=2) == [RECORD]
