"""Totals by quarter of an hour in SQL: how records are added to them, and how they are read."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Row,
    Table,
    and_,
    case,
    func,
    literal,
    select,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from llmring_adapters.schema import picos_of
from llmring_adapters.usage.tables import usage_records, usage_totals
from llmring_core.ids import ProjectId
from llmring_core.money import DECIMALS, EXACT
from llmring_core.usage import (
    MAX_TOTAL,
    Cell,
    Day,
    Selection,
    Sums,
    TotalsOverflow,
    UsageRecord,
    add,
    quarter_of,
    sums_of,
    whole_quarters,
)

PICOS_PER_MICRO = 1_000_000
SQLITE_SPLIT = 2**31  # SQLite's SUM fails past 2^63; the sums of both halves stay far below
TOKENS = ("input_tokens", "cached_input_tokens", "output_tokens")
COUNTS = ("requests", "unpriced", "cost_micros", "cost_picos")
PLAIN_DAY = timedelta(hours=24)
QUARTERS_A_DAY = 96
ROWS_A_STATEMENT = 1_000  # of 13 parameters; PostgreSQL takes 32767 and SQLite 32766

TotalsKey = tuple[ProjectId, int, bytes]  # project, quarter, cell


async def add_to_totals(connection: AsyncConnection, records: Sequence[UsageRecord]) -> None:
    """Add ``records`` to their totals, each row once and in order of key: so no deadlocks.

    Raises: TotalsOverflow.
    """
    rows = totals_of(records)
    try:
        for first in range(0, len(rows), ROWS_A_STATEMENT):
            await _upsert(connection, rows[first : first + ROWS_A_STATEMENT])
    except DBAPIError as error:
        if _is_out_of_range(error):
            raise TotalsOverflow from error
        raise


def totals_of(records: Sequence[UsageRecord]) -> list[dict[str, Any]]:
    """Return what ``records`` add to each row of totals, in order of key. Raises TotalsOverflow."""
    groups: dict[TotalsKey, list[UsageRecord]] = {}
    for record in records:
        key = record.project, quarter_of(record.at), _cell_of(record)
        groups.setdefault(key, []).append(record)
    return [_row(key, groups[key]) for key in sorted(groups)]


async def _upsert(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    upsert = dialect.insert(usage_totals).values(rows)
    stored, new = usage_totals.c, upsert.excluded
    picos = stored.cost_picos + new.cost_picos
    changed = {name: stored[name] + new[name] for name in ("requests", "unpriced", *TOKENS)} | {
        "cost_micros": stored.cost_micros + new.cost_micros + picos // PICOS_PER_MICRO,
        "cost_picos": picos % PICOS_PER_MICRO,
    }
    await connection.execute(
        upsert.on_conflict_do_update(index_elements=usage_totals.primary_key, set_=changed)
    )


async def read_cells(
    connection: AsyncConnection, project: ProjectId, selection: Selection, days: Sequence[Day]
) -> list[Cell]:
    """Read whole quarters from the totals, and what is left at both ends from the records."""
    quarters, pieces = whole_quarters(selection.period)
    cells: list[Cell] = []
    if quarters:
        c = usage_totals.c
        inside = and_(c.quarter >= quarters.start, c.quarter < quarters.stop)
        measures = {name: c[name] for name in (*COUNTS, *TOKENS)}
        day_index = _day_index(c.quarter, days)
        query = _Query(usage_totals, day_index, measures, project, selection)
        cells += await query.cells(connection, inside, [day.date for day in days])
    for piece in pieces:
        c = usage_records.c
        inside = and_(c.at >= piece.start, c.at < piece.end)
        day = next(day.date for day in days if day.start <= piece.start < day.end)
        query = _Query(usage_records, literal(0, Integer), _raw_measures(), project, selection)
        cells += await query.cells(connection, inside, [day])
    return cells


class _Query:
    """One GROUP BY over totals or records."""

    def __init__(
        self,
        table: Table,
        day_index: ColumnElement[int],
        measures: Mapping[str, ColumnElement[int]],
        project: ProjectId,
        selection: Selection,
    ) -> None:
        self._table = table
        self._day_index = day_index.label("day_index")
        self._measures = measures
        self._wanted = [table.c.project == project]
        for name in ("model", "alias", "origin"):
            value = getattr(selection, name)
            if value is not None:
                self._wanted.append(table.c[name] == value)

    async def cells(
        self, connection: AsyncConnection, inside: ColumnElement[bool], days: Sequence[date]
    ) -> list[Cell]:
        c = self._table.c
        split = connection.dialect.name == "sqlite"
        sums = [sum for name in self._measures for sum in self._sums(name, split)]
        query = (
            select(self._day_index, c.model, c.alias, c.origin, *sums)
            .where(*self._wanted, inside)
            .group_by("day_index", c.model, c.alias, c.origin)
        )
        return [
            Cell(
                day=days[row.day_index],
                model=row.model,
                alias=row.alias,
                origin=row.origin,
                sums=_sums_in(row),
            )
            for row in await connection.execute(query)
        ]

    def _sums(self, name: str, split: bool) -> list[ColumnElement[Any]]:
        column = self._measures[name]
        if not split or name not in TOKENS:
            return [func.sum(column).label(name)]
        high, low = column // SQLITE_SPLIT, column % SQLITE_SPLIT
        return [func.sum(high).label(f"{name}_high"), func.sum(low).label(name)]


def _raw_measures() -> dict[str, ColumnElement[int]]:
    """Return what one record adds to the totals; the same rule as ``sums_of``, in SQL."""
    c = usage_records.c
    cost = func.coalesce(type_coerce(c.cost_usd, BigInteger), 0)
    return {
        "requests": case((c.kind == "adjustment", 0), else_=1),
        "unpriced": case((c.cost_usd.is_(None), 1), else_=0),
        "cost_micros": cost // PICOS_PER_MICRO,
        "cost_picos": cost % PICOS_PER_MICRO,
        "input_tokens": c.input_uncached + c.input_cache_read,
        "cached_input_tokens": c.input_cache_read,
        "output_tokens": c.output + c.output_reasoning,
    }


def _day_index(quarter: ColumnElement[int], days: Sequence[Day]) -> ColumnElement[int]:
    """Return which of ``days`` a quarter lies in.

    Runs of plain days are arithmetic; only a day on which clocks change, and the run after it,
    needs a branch of its own.
    """
    branches: list[tuple[int, ColumnElement[int]]] = []  # first quarter, index from there on
    in_run = False
    for index, day in enumerate(days):
        first = quarter_of(day.start)
        plain = day.end - day.start == PLAIN_DAY
        if plain and not in_run:
            branches.append((first, literal(index) + (quarter - first) // QUARTERS_A_DAY))
        elif not plain:
            branches.append((first, literal(index)))
        in_run = plain
    return case(*((quarter >= first, index) for first, index in reversed(branches)), else_=0)


def _row(key: TotalsKey, records: Sequence[UsageRecord]) -> dict[str, Any]:
    project, quarter, cell = key
    sums = add(map(sums_of, records))
    if max(sums.input_tokens, sums.output_tokens) > MAX_TOTAL:  # the driver could not send it
        raise TotalsOverflow
    micros, picos = divmod(picos_of(sums.cost_usd), PICOS_PER_MICRO)
    return {
        "project": project,
        "quarter": quarter,
        "cell": cell,
        "model": records[0].model,
        "alias": records[0].alias,
        "origin": records[0].origin,
        "requests": sums.requests,
        "input_tokens": sums.input_tokens,
        "cached_input_tokens": sums.cached_input_tokens,
        "output_tokens": sums.output_tokens,
        "cost_micros": micros,
        "cost_picos": picos,
        "unpriced": sums.unpriced,
    }


def _sums_in(row: Row[Any]) -> Sums:
    picos = int(row.cost_micros) * PICOS_PER_MICRO + int(row.cost_picos)
    tokens = {
        name: int(row._mapping.get(f"{name}_high", 0)) * SQLITE_SPLIT + int(row._mapping[name])
        for name in TOKENS
    }
    return Sums(
        requests=int(row.requests),
        unpriced=int(row.unpriced),
        cost_usd=Decimal(picos).scaleb(-DECIMALS, EXACT),
        **tokens,
    )


def _cell_of(record: UsageRecord) -> bytes:
    """Return 16 bytes that stand for model, alias and origin: long names do not fit a key."""
    names = (record.model, record.alias, record.origin)
    text = "\0".join("\0" if name is None else name for name in names)  # names have no NUL
    return blake2b(text.encode(), digest_size=16).digest()


def _is_out_of_range(error: DBAPIError) -> bool:
    """Tell an overflow from every other failure: PostgreSQL's 22003, SQLite's CHECK."""
    return getattr(error.orig, "sqlstate", None) == "22003" or "tokens_in_range" in str(error.orig)
