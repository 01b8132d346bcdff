"""Filling a PostgreSQL ledger with a month of calls, in SQL: millions of rows in minutes.

Every project's first call is logged by the server. The rows are copies of it but for the columns
named here, and the totals are added up from the rows, so that both stay what the server writes.
"""

import asyncio
from collections.abc import Callable
from hashlib import blake2b, sha256

import asyncpg  # type: ignore[import-untyped]
from msgspec import json

from bench.books import SCHEMA
from bench.processes import Program
from bench.traffic import ALIASES, JSON, MODELS, ORIGINS, Call, keys

PROJECTS = 50  # the busiest has a tenth of all calls
DAYS = 30
CHUNK = 250_000  # rows of one statement
VARIANTS = tuple((p, f"{m}{tail}") for p, m in MODELS[:5] for tail in ("", "-2026-11-01"))

# Instants ascend with i, and so do the ids (UUIDv7). MATERIALIZED: one draw of chance a row.
RECORDS = """
WITH drawn AS MATERIALIZED (
  SELECT i,
    now() - make_interval(days => {days}) + make_interval(days => {days}) * (i::float8 / $3) AS at,
    ($4::text[])[1 + floor({projects} * power(random(), 1.7))::int] AS project,
    1 + floor({models} * power(random(), 1.5))::int AS m,
    ($5::text[])[1 + floor({aliases} * random())::int] AS alias,
    ($6::text[])[1 + floor({origins} * power(random(), 1.3))::int] AS origin,
    (200 + 6000 * random())::bigint AS fresh,
    (CASE WHEN random() < 0.3 THEN 4000 * random() ELSE 0 END)::bigint AS cached,
    (10 + 1500 * random())::bigint AS written
  FROM generate_series($1::bigint, $2::bigint - 1) AS i
), filled AS (
  SELECT *, lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS t,
    fresh * m * 150000 + cached * m * 15000 + written * m * 600000 AS picos
  FROM drawn
)
INSERT INTO usage_records ({columns})
SELECT {values} FROM filled, template
"""
VALUES = {
    "id": "substr(t, 1, 8) || '-' || substr(t, 9) || '-7000-8000-' || lpad(to_hex(i), 12, '0')",
    "project": "filled.project",
    "at": "filled.at",
    "provider": "($7::text[])[m]",
    "model": "($8::text[])[m]",
    "alias": "filled.alias",
    "origin": "filled.origin",
    "input_uncached": "fresh",
    "input_cache_read": "cached",
    "output": "written",
    "cost_usd": "picos",
    "registry_cost_usd": "picos",
}
TOTALS = """
INSERT INTO usage_totals (project, span, start, cell, model, alias, origin, requests,
  input_tokens, cached_input_tokens, output_tokens, cost_micros, cost_picos, unpriced)
SELECT r.project, s.span, floor(extract(epoch FROM r.at) / (900 * s.span))::int * s.span, c.cell,
  r.model, r.alias, r.origin, count(*), sum(r.input_uncached + r.input_cache_read),
  sum(r.input_cache_read),
  sum(r.output + r.output_reasoning), div(sum(r.cost_usd), 1000000), mod(sum(r.cost_usd), 1000000),
  count(*) FILTER (WHERE r.cost_usd IS NULL)
FROM usage_records r
JOIN unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) AS c (model, alias, origin, cell)
  ON (c.model, c.alias, c.origin) = (r.model, r.alias, r.origin)
CROSS JOIN (VALUES (1), (96)) AS s (span)
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""


class OutOfDate(Exception):
    """The server writes something else than this module does."""


def fill(server: Program, url: str, rows: int, progress: Callable[[str], None]) -> str:
    """Fill the ledger behind ``server``; return the API key of its busiest project.

    Raises: OutOfDate.
    """
    api_keys = keys(PROJECTS)
    for key in api_keys:
        _log_first(server, key)
    asyncio.run(_fill(url, rows, [sha256(key.encode()).hexdigest() for key in api_keys], progress))
    return api_keys[0]


def _log_first(server: Program, key: str) -> None:
    provider, model = VARIANTS[0]
    call = Call(
        provider=provider,
        model=model,
        input_tokens=1000,
        output_tokens=200,
        cached_input_tokens=500,
        alias=ALIASES[0],
        origin=ORIGINS[0],
        latency_ms=900,
    )
    status, body = server.ask("POST", "/api/v1/log", JSON | {"X-API-Key": key}, json.encode(call))
    if status != 200:
        raise OutOfDate(f"POST /api/v1/log answered {status}: {body.decode()}")


async def _fill(url: str, rows: int, digests: list[str], progress: Callable[[str], None]) -> None:
    connection = await asyncpg.connect(url, server_settings={"search_path": SCHEMA})
    try:
        await connection.execute("SELECT setseed(0.5)")
        await _fill_records(connection, rows, digests, progress)
        progress("totals")
        await _fill_totals(connection)
        progress("vacuum")
        await connection.execute("VACUUM (ANALYZE) usage_records")
        await connection.execute("VACUUM (ANALYZE) usage_totals")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def _fill_records(
    connection: asyncpg.Connection, rows: int, digests: list[str], progress: Callable[[str], None]
) -> None:
    found = dict(await connection.fetch("SELECT digest, project FROM api_keys"))
    projects = [found[digest] for digest in digests]
    await connection.execute("CREATE TEMP TABLE template AS SELECT * FROM usage_records LIMIT 1")
    template = await connection.fetchrow("SELECT * FROM template")
    columns = list(template.keys())
    if not VALUES.keys() <= set(columns):
        raise OutOfDate(f"usage_records has no {', '.join(VALUES.keys() - set(columns))}")
    statement = RECORDS.format(
        days=DAYS,
        projects=PROJECTS,
        models=len(VARIANTS),
        aliases=len(ALIASES),
        origins=len(ORIGINS),
        columns=", ".join(columns),
        values=", ".join(VALUES.get(name, f"template.{name}") for name in columns),
    )
    lists = (
        projects,
        list(ALIASES),
        list(ORIGINS),
        *(list(v) for v in zip(*VARIANTS, strict=True)),
    )
    for first in range(0, rows, CHUNK):
        progress(f"{first:,} of {rows:,} rows")
        last = min(first + CHUNK, rows)
        await connection.execute(statement, first, last, rows, *lists)


async def _fill_totals(connection: asyncpg.Connection) -> None:
    """Add the totals up from the records. Raises OutOfDate."""
    server_cell = await connection.fetchval("SELECT cell FROM usage_totals LIMIT 1")
    names = [(m, a, o) for _, m in VARIANTS for a in ALIASES for o in ORIGINS]
    cells = [blake2b("\0".join(parts).encode(), digest_size=16).digest() for parts in names]
    if server_cell != cells[0]:
        raise OutOfDate("usage_totals has other cells")
    await connection.execute("TRUNCATE usage_totals")
    await connection.execute(TOTALS, *(list(part) for part in zip(*names, strict=True)), cells)
