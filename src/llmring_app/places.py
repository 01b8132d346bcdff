"""Where this program keeps its files."""

from pathlib import Path

from llmring_adapters.database import url_of
from llmring_app.settings import Settings


def sqlite_file(settings: Settings) -> Path | None:
    """Return the file of a SQLite database that has one."""
    database = url_of(settings.database_url).database
    in_memory = database in (None, "", ":memory:")
    return Path(database) if settings.is_sqlite and database and not in_memory else None


def beside_database(settings: Settings, name: str) -> Path:
    """Return where a file of that name belongs: beside the SQLite file, or in this folder."""
    database = sqlite_file(settings)
    return Path(name) if database is None else database.with_name(name)
