"""A thread that writes to SQLite: every fault is heard as an outage, and what it began it ends."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import text

from llmring_adapters.database import SQLITE_BUSY_MS, Outages, open_engine
from llmring_adapters.sqlite import OwnThread, Turn, WriteRows
from llmring_adapters.transactions.sql import sql_transactions
from llmring_core.errors import StoreUnavailable
from tests.builders.kernel import P1
from tests.builders.usage import RECORD

PAGE = 4096  # bytes
HEADER = 100
SETTINGS = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")


class Hampered(sqlite3.Connection):
    """A file that may not grow, and a driver that does not wait for others."""

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        if sql == f"PRAGMA busy_timeout={SQLITE_BUSY_MS}":
            super().execute("PRAGMA max_page_count=3")  # so many as it has
            return super().execute("PRAGMA busy_timeout=0")
        return super().execute(sql, *args)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "kept #words.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE kept (word TEXT PRIMARY KEY)")
    shutil.copy(file, tmp_path / "copy.db")
    return file


@pytest.fixture
async def own(file: Path) -> AsyncIterator[OwnThread]:
    own = OwnThread(file, Turn(), factory=Hampered)
    yield own
    await own.close()


def add(word: str) -> WriteRows:
    def write(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO kept VALUES (?)", (word,))

    return write


class Held:
    """A write that says when it began and waits until it may end."""

    def __init__(self) -> None:
        self.began, self.may_end = Event(), Event()

    def __call__(self, connection: sqlite3.Connection) -> None:
        add("held")(connection)
        self.began.set()
        self.may_end.wait(10)


def words(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM kept ORDER BY rowid")]


def is_there(file: Path) -> bool:
    return file.exists()


def put_back(file: Path) -> None:
    """Put the copy from before in place of whatever is there."""
    if file.is_dir():
        file.rmdir()
    for other in ("-wal", "-shm"):
        file.with_name(file.name + other).unlink(missing_ok=True)
    (file.parent / "copy.db").replace(file)


def damage(file: Path) -> None:
    with file.open("r+b") as raw:
        raw.seek(HEADER)  # what follows says which tables there are
        raw.write(b"\xff" * (PAGE - HEADER))


FAULTS: dict[str, Callable[[Path], object]] = {
    "damaged": damage,
    "no database": lambda file: file.write_bytes(b"no database " * 1000),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
    "removed": lambda file: file.unlink(),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_file_that_cannot_be_used_is_an_outage_until_a_copy_is_put_back(
    file: Path, fault: str
) -> None:
    outages = Outages()
    own = OwnThread(file, Turn(), outages)
    FAULTS[fault](file)
    with pytest.raises(StoreUnavailable):
        await own.commit(add("lost"))
    assert outages.count == 1
    assert is_there(file) == (fault != "removed")  # no empty one is put in its place
    put_back(file)
    await own.commit(add("kept"))
    await own.close()
    assert words(file) == ["kept"]


@pytest.mark.parametrize("fault", ["damaged", "no database"])
async def test_every_other_transaction_hears_the_same_of_it(file: Path, fault: str) -> None:
    engine, outages = open_engine(f"sqlite:///{file}", "llmring"), Outages()
    async with engine.begin() as connection:
        await connection.execute(text("PRAGMA user_version=1"))
    await engine.dispose()
    FAULTS[fault](file)
    with pytest.raises(StoreUnavailable):
        async with sql_transactions(engine, outages)() as work:
            await work.usage.find(P1, RECORD.id)
    assert outages.count == 1
    await engine.dispose()


async def test_a_file_put_in_its_place_is_the_one_that_is_written_to(
    own: OwnThread, file: Path
) -> None:
    await own.commit(add("before"))
    put_back(file)
    await own.commit(add("after"))
    assert words(file) == ["after"]


async def test_a_file_removed_while_it_is_opened_is_not_made_anew(file: Path) -> None:
    class Late(sqlite3.Connection):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            file.unlink()
            super().__init__(*args, **kwargs)

    own = OwnThread(file, Turn(), factory=Late)
    with pytest.raises(StoreUnavailable):
        await own.commit(add("lost"))
    assert not is_there(file)
    await own.close()


async def test_after_an_outage_it_goes_on_with_a_new_connection(file: Path) -> None:
    opened: list[sqlite3.Connection] = []

    def fail(connection: sqlite3.Connection) -> None:
        opened.append(connection)
        raise sqlite3.OperationalError("disk I/O error")

    own = OwnThread(file, Turn())
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await own.commit(fail)
    assert opened[0] is not opened[1]
    await own.close()


async def test_nobody_else_writes_once_it_has_begun(own: OwnThread, file: Path) -> None:
    def write(_: sqlite3.Connection) -> None:
        locked = pytest.raises(sqlite3.OperationalError, match="locked")
        with closing(sqlite3.connect(file, timeout=0)) as other, locked:
            add("other")(other)

    await own.commit(write)
    assert words(file) == []


async def test_a_full_disk_is_an_outage_and_keeps_nothing(own: OwnThread, file: Path) -> None:
    def write(connection: sqlite3.Connection) -> None:
        add("small")(connection)
        add("large" * PAGE)(connection)

    with pytest.raises(StoreUnavailable):
        await own.commit(write)
    await own.commit(add("next"))
    assert words(file) == ["next"]


async def test_a_file_that_another_program_writes_to_is_an_outage(
    own: OwnThread, file: Path
) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            await own.commit(add("refused"))
        other.execute("ROLLBACK")
    await own.commit(add("next"))
    assert words(file) == ["next"]


async def test_who_waits_behind_one_turned_away_is_turned_away_with_it(file: Path) -> None:
    outages = Outages()
    own = OwnThread(file, Turn(), outages)
    FAULTS["removed"](file)
    outcomes = await asyncio.gather(
        *(own.commit(add(word)) for word in "abc"), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 3
    assert outages.count == 1
    await own.close()


async def test_what_is_wrong_with_a_row_is_no_outage_and_keeps_nothing(
    own: OwnThread, file: Path
) -> None:
    def write(connection: sqlite3.Connection) -> None:
        add("first")(connection)
        add("twice")(connection)
        add("twice")(connection)

    with pytest.raises(sqlite3.IntegrityError):
        await own.commit(write)
    with pytest.raises(UnicodeEncodeError):
        await own.commit(add("\ud800"))
    await own.commit(add("next"))
    assert words(file) == ["next"]


async def test_cancelled_it_ends_before_the_next_one_begins(own: OwnThread, file: Path) -> None:
    held = Held()
    cancelled = asyncio.create_task(own.commit(held))
    await asyncio.to_thread(held.began.wait, 10)
    following = asyncio.create_task(own.commit(add("next")))
    cancelled.cancel()
    await asyncio.wait([cancelled, following], timeout=0.02)
    assert not cancelled.done()
    held.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    await following
    assert words(file) == ["held", "next"]


async def test_closing_waits_for_what_is_written_and_lets_nothing_in(
    own: OwnThread, file: Path
) -> None:
    held = Held()
    writing = asyncio.create_task(own.commit(held))
    await asyncio.to_thread(held.began.wait, 10)
    closing_it = asyncio.create_task(own.close())
    await asyncio.wait([closing_it], timeout=0.02)
    assert not closing_it.done()
    held.may_end.set()
    await closing_it
    await writing
    with pytest.raises(StoreUnavailable):
        await own.commit(add("too late"))
    assert words(file) == ["held"]
    assert not is_there(file.with_name(file.name + "-wal"))  # the last one out tidies up


async def test_it_writes_as_safely_as_every_other_connection(file: Path) -> None:
    found: list[object] = []

    def read(connection: sqlite3.Connection) -> None:
        found.extend(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in SETTINGS)

    own = OwnThread(file, Turn())
    await own.commit(read)
    await own.close()
    engine = open_engine(f"sqlite:///{file}", "llmring")
    async with engine.connect() as connection:
        others = [await connection.scalar(text(f"PRAGMA {name}")) for name in SETTINGS]
    await engine.dispose()
    assert found == others == ["wal", 2, 1, SQLITE_BUSY_MS]
