"""The figures: what is asked of the server, measured, and counted afterwards."""

from collections.abc import Callable
from statistics import median

from msgspec.structs import replace

from bench import gateway, gateway_streams, receipts
from bench.books import by_api, in_postgres, in_sqlite
from bench.fill import DAYS, PROJECTS, fill
from bench.floors import GROUP, CommitFloor, HttpFloor
from bench.load import drive
from bench.processes import Program, llmring, logs_a_call
from bench.run import Run, counted
from bench.table import Row
from bench.traffic import BATCH, JSON, Batches, Repeated, SingleCalls, keys, request

CLIENT_PER_SECOND = 25_000  # against an empty app: the client must not be what is measured
LOG_PER_SECOND = 8_000
LOG_CPU_MS = 0.12
ONE_BY_ONE = 1.5  # times a bare INSERT and an empty exchange
SQLITE_SHARE = 0.5
BATCH_CONNECTIONS = 4
RECORDS_PER_SECOND = 20_000
STATS_MS = 10.0
STATS_GROWTH = 1.3
STATS_PATH = "/api/v1/stats?group_by=day"
WARM_CALLS = 2_000  # before memory is looked at for the first time
PATIENCE = 75  # stretches the memory figure may take
MEMORY_MB = 120
FLAT_MB = 10  # growth that is still called flat: caches fill, and Python's heap is uneven
START_S = 1.5
NOT_SERVED = (404, 405)


def floors(run: Run) -> list[Row]:
    """What this machine does at best."""
    client, http, many = run.client, run.http, run.sizes.connections
    rows = [
        _floor(f"client alone, answers from memory, {many} connections", client),
        replace(
            _floor(f"empty ASGI app, {many} connections", http),
            target=f"{CLIENT_PER_SECOND:,} requests/s",
            reached=http.load.per_second >= CLIENT_PER_SECOND,
        ),
        _floor("empty ASGI app, 1 connection", run.exchange),
        _bare("SQLite, synchronous=FULL", run.sqlite_commits),
    ]
    return [*rows, _bare("PostgreSQL", run.postgres_commits)]


def log_postgres(run: Run) -> list[Row]:
    """Calls one by one, priced by the registry, on PostgreSQL."""
    with run.database() as url, llmring(url) as server:
        calls = SingleCalls()
        one = _log_one(run, server, calls, "PostgreSQL", run.postgres_commits)
        many = _log_many(run, server, calls, "PostgreSQL", run.postgres_commits)
        stored = in_postgres(url) | {"API": by_api(server, keys())}
    assert many.load is not None  # noqa: S101  measured rows have one
    run.postgres_per_second = many.load.per_second
    met = run.postgres_per_second >= LOG_PER_SECOND and (many.cpu_ms or 0) <= LOG_CPU_MS
    many = replace(many, target=f"{LOG_PER_SECOND:,} requests/s, {LOG_CPU_MS} ms CPU", reached=met)
    return [many, one, counted("log, PostgreSQL", calls.acknowledged(), stored, calls.unanswered)]


def log_sqlite(run: Run) -> list[Row]:
    """The same on SQLite, configured as it comes."""
    with llmring() as server:
        calls = SingleCalls()
        one = _log_one(run, server, calls, "SQLite", run.sqlite_commits)
        many = _log_many(run, server, calls, "SQLite", run.sqlite_commits)
        stored = in_sqlite(server.folder / "llmring.db") | {"API": by_api(server, keys())}
    assert many.load is not None  # noqa: S101  measured rows have one
    target, met = "half of PostgreSQL's", None
    if run.postgres_per_second is not None:
        least = run.postgres_per_second * SQLITE_SHARE
        target, met = f"{target}: {least:,.0f} requests/s", many.load.per_second >= least
    many = replace(many, target=target, reached=met)
    return [many, one, counted("log, SQLite", calls.acknowledged(), stored, calls.unanswered)]


def batch(run: Run) -> list[Row]:
    """500 calls a request, each with a name of its own, on PostgreSQL."""
    figure = f"POST /api/v1/log/batch, {BATCH} records, {BATCH_CONNECTIONS} connections, PostgreSQL"
    target = f"{RECORDS_PER_SECOND:,} records/s"
    with run.database() as url, llmring(url) as server:
        status, _ = server.ask("POST", "/api/v1/log/batch", JSON | {"X-API-Key": keys()[0]}, b"{}")
        if status in NOT_SERVED:
            return [Row(figure=figure, target=target, measured="not served")]
        batches = Batches()
        row = run.measure(server, batches, BATCH_CONNECTIONS, figure)
        stored = in_postgres(url) | {"API": by_api(server, keys())}
    assert row.load is not None  # noqa: S101  measured rows have one
    records = row.load.per_second * BATCH
    bare = run.postgres_commits.group_rows_per_second
    row = replace(
        row,
        target=target,
        measured=f"{records:,.0f} records/s",
        reached=records >= RECORDS_PER_SECOND,
        floor=f"bare INSERT of {GROUP} rows: {bare:,.0f} rows/s",
    )
    return [row, counted("batch", batches.acknowledged(), stored, batches.unanswered)]


def stats(run: Run) -> list[Row]:
    """A month's statistics of the busiest project, of few calls and of many."""
    few, few_counted = _stats(run, run.sizes.few_rows)
    many, many_counted = _stats(run, run.sizes.rows)
    assert few.load is not None  # noqa: S101  measured rows have one
    assert many.load is not None  # noqa: S101
    ratio = many.load.p50_ms / few.load.p50_ms
    many = replace(
        many,
        target=f"p50 {STATS_MS:.0f} ms, {STATS_GROWTH} times that of {run.sizes.few_rows:,} rows",
        measured=f"{many.load.p50_ms:.2f} ms, {ratio:.2f} times",
        reached=many.load.p50_ms < STATS_MS and ratio <= STATS_GROWTH,
    )
    return [few, many, few_counted, many_counted]


def memory(run: Run) -> list[Row]:
    """Whether the server grows with the calls it has logged."""
    many = run.sizes.connections
    figure = f"memory after logging calls, {many} connections, PostgreSQL"
    run.progress(figure)
    most_s = run.sizes.seconds * PATIENCE
    with run.database() as url, llmring(url) as server:
        calls = SingleCalls()
        drive(server.port, calls, many, most_s, min(WARM_CALLS, run.sizes.calls))
        start, cpu = server.rss_mb(), server.cpu_s()
        load = drive(server.port, calls, many, most_s, run.sizes.calls)
        cpu_ms = (server.cpu_s() - cpu) / max(load.answers, 1) * 1000
        end = server.rss_mb()
        stored = in_postgres(url) | {"API": by_api(server, keys())}
    row = Row(
        figure=figure,
        target=f"{MEMORY_MB} MB and flat (+{FLAT_MB} MB)",
        measured=f"{start:.0f} MB, after {load.accepted:,} more calls {end:.0f} MB",
        reached=end < MEMORY_MB and end - start <= FLAT_MB,
        load=load,
        cpu_ms=cpu_ms,
        rss_mb=end,
    )
    return [row, counted("memory", calls.acknowledged(), stored, calls.unanswered)]


def start(run: Run) -> list[Row]:
    """From the start of the process, with nothing there yet, to the first call answered."""
    rows = []
    for database in run.sizes.start_on:
        figure = f"start to first logged call, empty {database}"
        run.progress(figure)
        seconds = [_start_s(run, database) for _ in range(run.sizes.starts)]
        row = Row(
            figure=figure,
            target=f"{START_S} s",
            measured=f"median of {len(seconds)}: {median(seconds):.2f} s",
            reached=median(seconds) < START_S,
        )
        rows.append(row)
    return rows


FIGURES: dict[str, Callable[[Run], list[Row]]] = {
    "floors": floors,
    "log-postgres": log_postgres,
    "log-sqlite": log_sqlite,
    "batch": batch,
    "stats": stats,
    "memory": memory,
    "start": start,
    "issue": receipts.issue,
    "verify": receipts.verify,
    "sequencer": receipts.sequencer,
    "proofs": receipts.proofs,
    "gateway": gateway.chat,
    "streams": gateway_streams.streams,
}


def _log_one(
    run: Run, server: Program, calls: SingleCalls, database: str, floor: CommitFloor
) -> Row:
    least = floor.insert_p50_ms + run.exchange.load.p50_ms
    row = run.measure(server, calls, 1, f"POST /api/v1/log, 1 connection, {database}")
    assert row.load is not None  # noqa: S101  measured rows have one
    times = row.load.p50_ms / least
    return replace(
        row,
        target=f"p50 {ONE_BY_ONE} times its floors",
        measured=f"p50 {row.load.p50_ms:.2f} ms, {times:.2f} times",
        reached=times <= ONE_BY_ONE,
        floor=f"bare INSERT {floor.insert_p50_ms:.3f} ms "
        f"+ empty exchange {run.exchange.load.p50_ms:.3f} ms",
    )


def _log_many(
    run: Run, server: Program, calls: SingleCalls, database: str, floor: CommitFloor
) -> Row:
    many = run.sizes.connections
    row = run.measure(server, calls, many, f"POST /api/v1/log, {many} connections, {database}")
    assert row.load is not None  # noqa: S101  measured rows have one
    return replace(
        row,
        measured=f"{row.load.per_second:,.0f} requests/s, {row.cpu_ms:.3f} ms CPU",
        floor=f"empty ASGI {run.http.load.per_second:,.0f}/s; one INSERT at a time "
        f"{1000 / floor.insert_p50_ms:,.0f}/s; {GROUP} at a time "
        f"{floor.group_rows_per_second:,.0f}/s",
    )


def _stats(run: Run, rows: int) -> tuple[Row, Row]:
    figure = f"GET {STATS_PATH}, {DAYS} days, {rows:,} rows, PostgreSQL"
    every = keys(PROJECTS)
    with run.database() as url, llmring(url) as server:
        busiest = fill(server, url, rows, lambda step: run.progress(f"{figure}: {step}"))
        question = Repeated([request("GET", STATS_PATH, busiest)])
        row = run.measure(server, question, 1, figure)
        found, stored = by_api(server, every), in_postgres(url)
    assert row.load is not None  # noqa: S101  measured rows have one
    row = replace(
        row,
        measured=f"p50 {row.load.p50_ms:.2f} ms",
        floor=f"empty exchange {run.exchange.load.p50_ms:.3f} ms",
    )
    return row, counted(f"stats, {rows:,} rows", found, stored, by="API")


def _start_s(run: Run, database: str) -> float:
    if database == "SQLite":
        with llmring(ready=logs_a_call) as server:
            return server.started_in_s
    with run.database() as url, llmring(url, logs_a_call) as server:
        return server.started_in_s


def _floor(name: str, floor: HttpFloor) -> Row:
    return Row(
        figure=f"floor: {name}",
        measured=f"{floor.load.per_second:,.0f} requests/s; "
        f"client {floor.client_cpu_ms:.3f} ms CPU",
        load=floor.load,
        cpu_ms=floor.cpu_ms,
    )


def _bare(database: str, floor: CommitFloor) -> Row:
    return Row(
        figure=f"floor: bare committed rows, {database}",
        measured=f"one INSERT p50 {floor.insert_p50_ms:.3f} ms; "
        f"{GROUP} at a time {floor.group_rows_per_second:,.0f} rows/s",
    )
