"""One run of the benchmark: how much of everything, what it shares, how a stretch is measured."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property

from msgspec import Struct

from bench.books import Mismatch, Sums, check
from bench.floors import CommitFloor, HttpFloor, http_floor, postgres_floor, sqlite_floor
from bench.load import Load, Workload, drive
from bench.postgres import Postgres
from bench.processes import Program
from bench.table import Row

Drive = Callable[[int, Workload, int, float], Load]  # as ``drive``, without its count


class Sizes(Struct, frozen=True, kw_only=True):
    """How much is measured."""

    connections: int  # where there are many
    seconds: float  # of each stretch, after a warm-up of a quarter of it
    rows: int  # of the large ledger
    few_rows: int  # of the small one
    calls: int  # of the memory figure
    streams: int  # open at once
    starts: int  # on each of these databases, empty
    start_on: tuple[str, ...] = ("SQLite", "PostgreSQL")


class NoPostgres(Exception):
    """The figure needs a PostgreSQL, and this machine has none."""


class Run:
    """The sizes, the PostgreSQL, and what is measured once and used by several figures."""

    def __init__(
        self, sizes: Sizes, postgres: Postgres | None, progress: Callable[[str], None]
    ) -> None:
        self.sizes = sizes
        self.progress = progress
        self.postgres_per_second: float | None = None  # the first figure, once it is known
        self._postgres = postgres

    def database(self) -> AbstractContextManager[str]:
        """URL of a new PostgreSQL database. Raises NoPostgres."""
        if self._postgres is None:
            raise NoPostgres("there is no PostgreSQL on this machine")
        return self._postgres.database()

    @cached_property
    def client(self) -> HttpFloor:
        """Answers from memory, many connections: nothing is faster than this client."""
        self.progress("floor: client")
        return http_floor("canned", self.sizes.connections, self.sizes.seconds / 2)

    @cached_property
    def http(self) -> HttpFloor:
        """An empty ASGI app, many connections."""
        self.progress("floor: empty ASGI app")
        return http_floor("asgi", self.sizes.connections, self.sizes.seconds / 2)

    @cached_property
    def exchange(self) -> HttpFloor:
        """An empty ASGI app, one connection."""
        self.progress("floor: empty ASGI app, 1 connection")
        return http_floor("asgi", 1, self.sizes.seconds / 2)

    @cached_property
    def postgres_commits(self) -> CommitFloor:
        """Raises NoPostgres."""
        self.progress("floor: commits in PostgreSQL")
        with self.database() as url:
            return postgres_floor(url, self.sizes.seconds / 2)

    @cached_property
    def sqlite_commits(self) -> CommitFloor:
        self.progress("floor: commits in SQLite")
        return sqlite_floor(self.sizes.seconds / 2)

    def measure(
        self,
        server: Program,
        work: Workload,
        connections: int,
        figure: str,
        drive: Drive = drive,
    ) -> Row:
        """Warm up, then load; the row holds what the load showed."""
        self.progress(figure)
        drive(server.port, work, connections, self.sizes.seconds / 4)
        before = server.cpu_s()
        load = drive(server.port, work, connections, self.sizes.seconds)
        cpu_ms = (server.cpu_s() - before) / max(load.answers, 1) * 1000
        return Row(
            figure=figure,
            load=load,
            cpu_ms=cpu_ms,
            rss_mb=server.rss_mb(),
            wrong=load.accepted == 0,
        )


def counted(
    figure: str,
    said: Sums,
    stored: dict[str, Sums],
    unanswered: int = 0,
    *,
    by: str = "acknowledged",
) -> Row:
    """Compare what was said ``by`` somebody with what is stored, however one counts."""
    try:
        check(said, stored, unanswered=unanswered)
    except Mismatch as mismatch:
        return Row(figure=f"{figure}: counted", measured=f"WRONG: {by}: {mismatch}", wrong=True)
    ways = " = ".join([by, *stored])
    beside = f", and {unanswered} requests without a 200" if unanswered else ""
    return Row(figure=f"{figure}: counted", measured=f"{said}: {ways}{beside}")
