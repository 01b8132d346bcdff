"""A witness's memory: a dictionary, or a SQLite file of its own.

The file is opened for each question: a witness answers a few in a second, and several processes
may share it.
"""

from asyncio import to_thread
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from sqlite3 import Connection, Error, connect

from llmring_core.errors import StoreUnavailable
from llmring_core.transparency import Checkpoint, WitnessBook

BUSY_S = 5.0

TABLE = """
CREATE TABLE IF NOT EXISTS cosigned (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL
) WITHOUT ROWID
"""
LAST = "SELECT size, root FROM cosigned WHERE origin = ?"
FIRST = "INSERT INTO cosigned (origin, size, root) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
NEXT = "UPDATE cosigned SET size = ?, root = ? WHERE origin = ? AND size = ? AND root = ?"


class MemoryWitnessBook(WitnessBook):
    def __init__(self) -> None:
        self._cosigned: dict[str, Checkpoint] = {}

    async def last(self, origin: str) -> Checkpoint | None:
        return self._cosigned.get(origin)

    async def advance(self, old: Checkpoint | None, new: Checkpoint) -> bool:
        if self._cosigned.get(new.origin) != old:
            return False
        self._cosigned[new.origin] = new
        return True


class SqliteWitnessBook(WitnessBook):
    def __init__(self, file: Path) -> None:
        """``file`` is made when it is first used."""
        self._file = file

    async def last(self, origin: str) -> Checkpoint | None:
        return await to_thread(self._last, origin)

    async def advance(self, old: Checkpoint | None, new: Checkpoint) -> bool:
        return await to_thread(self._advance, old, new)

    def _last(self, origin: str) -> Checkpoint | None:
        with self._opened() as connection:
            row = connection.execute(LAST, (origin,)).fetchone()
        return None if row is None else Checkpoint(origin=origin, size=row[0], root=row[1])

    def _advance(self, old: Checkpoint | None, new: Checkpoint) -> bool:
        """One statement compares and sets, so of several who try, one does."""
        with self._opened() as connection:
            if old is None:
                done = connection.execute(FIRST, (new.origin, new.size, new.root))
            else:
                then = (old.origin, old.size, old.root)
                done = connection.execute(NEXT, (new.size, new.root, *then))
            return done.rowcount == 1

    @contextmanager
    def _opened(self) -> Iterator[Connection]:
        """Lend a connection that commits each statement to the disk. Raises StoreUnavailable."""
        try:
            with closing(connect(self._file, timeout=BUSY_S, isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous = EXTRA")  # the folder's entry, too
                connection.execute(TABLE)
                yield connection
        except Error as error:
            raise StoreUnavailable(f"the witness's state cannot be used: {error}") from error
