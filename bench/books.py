"""What was stored: added up from the records, from the totals and by the API."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Self

import asyncpg  # type: ignore[import-untyped]
from msgspec import Struct, json

from bench.processes import Program

SCHEMA = "llmring"  # where PostgreSQL keeps the tables, unless told otherwise
RECORDS = """
SELECT count(*), sum(input_uncached + input_cache_read + output + output_reasoning), sum(cost_usd)
FROM usage_records"""
BY_SPAN = """
SELECT sum(requests), sum(input_tokens + output_tokens), sum(cost_micros) * 1000000
       + sum(cost_picos)
FROM usage_totals WHERE span = {span}"""
QUERIES = (RECORDS, BY_SPAN.format(span=1), BY_SPAN.format(span=96))


class Sums(Struct, frozen=True, kw_only=True):
    calls: int
    tokens: int
    cost_usd: Decimal

    def __add__(self, other: Self) -> "Sums":
        return Sums(
            calls=self.calls + other.calls,
            tokens=self.tokens + other.tokens,
            cost_usd=self.cost_usd + other.cost_usd,
        )

    def __str__(self) -> str:
        return f"{self.calls:,} calls, {self.tokens:,} tokens, {self.cost_usd:,f} USD"


class Mismatch(Exception):
    """What is stored is not what was acknowledged."""


def check(said: Sums, stored: dict[str, Sums], *, unanswered: int) -> None:
    """Compare what was acknowledged with what is stored, however one counts.

    Of ``unanswered`` requests nobody knows: they may be stored. Raises Mismatch.
    """
    first, *others = stored.values()
    most = said.calls + unanswered
    complete = said.calls <= first.calls <= most if unanswered else first == said
    if not complete or any(other != first for other in others):
        counted = "; ".join(f"{way}: {sums}" for way, sums in stored.items())
        raise Mismatch(f"{said}; {counted}")


def in_postgres(url: str) -> dict[str, Sums]:
    async def read() -> list[Sums]:
        connection = await asyncpg.connect(url, server_settings={"search_path": SCHEMA})
        try:
            return [_sums(await connection.fetchrow(query)) for query in QUERIES]
        finally:
            await connection.close()

    return _named(asyncio.run(read()))


def in_sqlite(path: Path) -> dict[str, Sums]:
    with closing(sqlite3.connect(path)) as connection:
        return _named([_sums(connection.execute(q).fetchone()) for q in QUERIES])


def by_api(server: Program, api_keys: Sequence[str]) -> Sums:
    """Return what ``GET /api/v1/stats`` says for all these projects together."""
    sums = Sums(calls=0, tokens=0, cost_usd=Decimal(0))
    for key in api_keys:
        status, body = server.ask("GET", "/api/v1/stats?group_by=day", {"X-API-Key": key})
        if status != 200:
            raise Mismatch(f"GET /api/v1/stats answered {status}: {body.decode()}")
        summary = json.decode(body)["summary"]
        sums += Sums(
            calls=summary["total_requests"],
            tokens=summary["total_tokens"],
            cost_usd=Decimal(summary["total_cost"]),
        )
    return sums


def _sums(row: Sequence[int | Decimal | None]) -> Sums:
    calls, tokens, picos = (int(value or 0) for value in row)
    return Sums(calls=calls, tokens=tokens, cost_usd=Decimal(picos).scaleb(-12))


def _named(sums: Sequence[Sums]) -> dict[str, Sums]:
    return dict(zip(("records", "totals by quarter", "totals by day"), sums, strict=True))
