"""The machine's own floors: what HTTP costs without work, and what a commit costs without HTTP."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from time import perf_counter, process_time, time, time_ns
from uuid import UUID

import asyncpg  # type: ignore[import-untyped]
import uvloop
from msgspec import Struct
from tests.services.processes import private_folder

from bench.load import Load, drive, percentile
from bench.processes import empty_server
from bench.traffic import SingleCalls

GROUP = 500  # rows of a group insert
TABLE = (
    "CREATE TABLE floor (id varchar(36) PRIMARY KEY, project varchar(36), {at}, model varchar(255),"
    " alias varchar(255), origin varchar(255), input bigint, output bigint, cost bigint)"
)
COLUMNS = "id, project, at, model, alias, origin, input, output, cost"
TYPES = ("text", "text", "timestamptz", "text", "text", "text", "bigint", "bigint", "bigint")
SERIAL = count()

Row = tuple[object, ...]


class HttpFloor(Struct, frozen=True, kw_only=True):
    load: Load
    cpu_ms: float  # of the server, each request
    client_cpu_ms: float


class CommitFloor(Struct, frozen=True, kw_only=True):
    """Bare rows on one connection, without HTTP, roll-ups or idempotency."""

    insert_p50_ms: float  # one INSERT and its commit
    group_rows_per_second: float  # 500 rows in one statement and its commit


class _Answers(SingleCalls):
    """The usual traffic, whose answers are not looked at."""

    def accepted(self, number: int, answer: bytes) -> None:
        pass


def http_floor(kind: str, connections: int, seconds: float) -> HttpFloor:
    """Drive a server that does nothing, with the same client and the same requests."""
    with empty_server(kind) as server:
        drive(server.port, _Answers(), connections, seconds / 4)
        cpu, own_cpu = server.cpu_s(), process_time()
        load = drive(server.port, _Answers(), connections, seconds)
        return HttpFloor(
            load=load,
            cpu_ms=(server.cpu_s() - cpu) / load.answers * 1000,
            client_cpu_ms=(process_time() - own_cpu) / load.answers * 1000,
        )


def postgres_floor(url: str, seconds: float) -> CommitFloor:
    return uvloop.run(_postgres_floor(url, seconds))


def sqlite_floor(seconds: float) -> CommitFloor:
    """The same with SQLite, in a file where the server's would be, ``synchronous=FULL``."""
    marks = ", ".join("?" * len(TYPES))
    insert = f"INSERT INTO floor ({COLUMNS}) VALUES ({marks})"  # noqa: S608
    with _sqlite() as connection:

        def store(rows: Sequence[Row]) -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(insert, rows)
            connection.execute("COMMIT")

        singles, groups = _Stretch(seconds / 2), _Stretch(seconds / 2)
        while singles.goes_on():
            rows = _rows(1, plain=True)
            with singles.measured():
                store(rows)
        while groups.goes_on():
            rows = _rows(GROUP, plain=True)
            with groups.measured():
                store(rows)
    return _floor(singles, groups)


async def _postgres_floor(url: str, seconds: float) -> CommitFloor:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(TABLE.format(at="at timestamptz"))
        values = ", ".join(f"${n}" for n in range(1, len(TYPES) + 1))
        arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(TYPES, 1))
        one = await connection.prepare(
            f"INSERT INTO floor ({COLUMNS}) VALUES ({values})"  # noqa: S608
        )
        many = await connection.prepare(
            f"INSERT INTO floor ({COLUMNS}) SELECT * FROM unnest({arrays})"  # noqa: S608
        )
        singles, groups = _Stretch(seconds / 2), _Stretch(seconds / 2)
        while singles.goes_on():
            [row] = _rows(1, plain=False)
            with singles.measured():
                await one.fetch(*row)
        while groups.goes_on():
            columns = list(zip(*_rows(GROUP, plain=False), strict=True))
            with groups.measured():
                await many.fetch(*columns)
    finally:
        await connection.close()
    return _floor(singles, groups)


@contextmanager
def _sqlite() -> Iterator[sqlite3.Connection]:
    with (
        private_folder() as folder,
        closing(sqlite3.connect(Path(folder, "floor.db"), isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(TABLE.format(at="at bigint"))
        yield connection


class _Stretch:
    """Something done over and over for a while; only the doing is timed."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = 0.0
        self.milliseconds: list[float] = []

    def goes_on(self) -> bool:
        now = perf_counter()
        self._until = self._until or now + self._seconds
        return now < self._until or not self.milliseconds

    @contextmanager
    def measured(self) -> Iterator[None]:
        start = perf_counter()
        yield
        self.milliseconds.append((perf_counter() - start) * 1000)


def _floor(singles: _Stretch, groups: _Stretch) -> CommitFloor:
    rows = GROUP * len(groups.milliseconds)
    return CommitFloor(
        insert_p50_ms=percentile(sorted(singles.milliseconds), 0.5),
        group_rows_per_second=rows / (sum(groups.milliseconds) / 1000),
    )


def _rows(number: int, *, plain: bool) -> list[Row]:
    """Return new rows; ``plain`` ones have the instant as microseconds, as SQLite keeps it."""
    now = time()
    at = int(now * 1_000_000) if plain else datetime.fromtimestamp(now, UTC)
    project = "01a1fb83-d665-7506-b0d8-a439d5132212"
    rest = (project, at, "gpt-4o-mini", "fast", "support-chat", 1200, 300, 3_450_000_000)
    return [(_ascending_id(), *rest) for _ in range(number)]


def _ascending_id() -> str:
    return str(UUID(int=time_ns() << 60 | next(SERIAL)))
