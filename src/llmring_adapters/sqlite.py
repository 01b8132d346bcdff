"""Writing to SQLite: in turn, and in one go where hops between threads would be felt."""

import sqlite3
from asyncio import CancelledError, Lock, get_running_loop, shield, to_thread, wait
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from time import monotonic
from typing import Any, Final, TypeAlias

from sqlalchemy import UpdateBase
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import TypeDecorator

from llmring_adapters.database import (
    SQLITE_BUSY_MS,
    SQLITE_SETTINGS,
    FileIdentity,
    Outages,
    identity_of,
    passes_in_sqlite,
)
from llmring_core.errors import StoreUnavailable

WriteRows: TypeAlias = Callable[[sqlite3.Connection], None]

DIALECT: Final = sqlite.dialect(paramstyle="named")


class Turn(AbstractAsyncContextManager[None]):
    """A lock, held by one after the other in order.

    When the database turns one away, those who waited meanwhile are turned away with it: each would
    wait out the busy time-out to hear the same.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._turned_away_at = 0.0

    async def __aenter__(self) -> None:
        asked_at = monotonic()
        await self._lock.acquire()
        if asked_at < self._turned_away_at:
            self._lock.release()
            raise StoreUnavailable("the database is not ready; try again shortly")

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is StoreUnavailable:
            self._turned_away_at = monotonic()
        self._lock.release()


class OwnThread:
    """A connection in a thread of its own, opened when it is first needed and after a fault.

    Through SQLAlchemy each statement is a hop to a thread and back; here a transaction is one.
    """

    def __init__(
        self,
        file: Path,
        turn: Turn,
        outages: Outages | None = None,
        factory: type[sqlite3.Connection] = sqlite3.Connection,
    ) -> None:
        self._file = file
        self._turn = turn
        self._outages = outages or Outages()
        self._factory = factory
        self._thread = ThreadPoolExecutor(1, "sqlite-writer")
        self._connection: sqlite3.Connection | None = None
        self._opened: FileIdentity | None = None
        self._is_closed = False

    async def commit(self, write: WriteRows) -> None:
        """Commit what ``write`` does, or nothing of it; cancelled, it ends all the same.

        Raises StoreUnavailable, also once closed; what is wrong with a row passes.
        """
        async with self._turn:
            if self._is_closed:
                raise StoreUnavailable("the server is stopping; try again shortly")
            try:
                await self._until_done(write)
            except (OSError, sqlite3.Error) as error:
                if isinstance(error, sqlite3.Error) and not passes_in_sqlite(error):
                    raise
                self._outages.count += 1
                raise StoreUnavailable("the database is not ready; try again shortly") from error

    async def close(self) -> None:
        """Let go of the file, once what is being written is committed."""
        if not self._is_closed:
            self._is_closed = True
            self._thread.submit(self._drop)
            await to_thread(self._thread.shutdown)

    async def _until_done(self, write: WriteRows) -> None:
        running = get_running_loop().run_in_executor(self._thread, self._transaction, write)
        try:
            await shield(running)
        except CancelledError:  # whoever is next must not find the file locked by this one
            await wait([running])
            raise

    def _transaction(self, write: WriteRows) -> None:
        """In the thread: everything between BEGIN and COMMIT, or its undoing."""
        try:
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE")
            try:
                write(connection)
                connection.execute("COMMIT")
            except BaseException:
                connection.rollback()
                raise
        except sqlite3.Error as error:
            if passes_in_sqlite(error):
                self._drop()  # nobody knows its state
            raise

    def _connected(self) -> sqlite3.Connection:
        """Return the connection to the file that is there now. Raises FileNotFoundError."""
        found = identity_of(self._file)
        if self._opened != found:  # SQLite would go on with a file that was removed
            self._drop()
        if self._connection is None:
            self._connection = sqlite3.connect(
                f"{self._file.absolute().as_uri()}?mode=rw",  # no empty one in place of a lost one
                uri=True,
                factory=self._factory,
                isolation_level=None,  # the driver would begin and commit on its own
                timeout=SQLITE_BUSY_MS / 1000,
            )
            for setting in ("journal_mode=WAL", *SQLITE_SETTINGS):
                self._connection.execute(f"PRAGMA {setting}")
            self._opened = found
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = self._opened = None


class Prepared:
    """A statement for the driver, compiled once, and the types of its parameters."""

    def __init__(self, statement: UpdateBase) -> None:
        compiled = statement.compile(dialect=DIALECT)
        self.sql: Final = str(compiled)
        self._types = [
            (name, parameter.type)
            for name, parameter in compiled.binds.items()
            if isinstance(parameter.type, TypeDecorator)
        ]

    def row(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return ``values``, changed to what the database stores."""
        for name, kind in self._types:
            values[name] = kind.process_bind_param(values[name], DIALECT)
        return values
