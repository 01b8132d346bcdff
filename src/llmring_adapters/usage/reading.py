"""Reading totals in SQL: one statement for every part of a period and every direction."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Integer,
    Select,
    Table,
    and_,
    case,
    func,
    literal,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from llmring_adapters.usage.tables import usage_records, usage_totals
from llmring_adapters.usage.totals import PICOS_PER_MICRO, TOKENS
from llmring_core.ids import ProjectId
from llmring_core.money import DECIMALS, EXACT
from llmring_core.usage import (
    QUARTERS_A_DAY,
    Day,
    Selection,
    Sums,
    Totals,
    quarter_of,
    whole_days,
    whole_quarters,
)

MEASURES = ("requests", "unpriced", "cost_micros", "cost_picos", *TOKENS)
SQLITE_SPLIT = 2**31  # SQLite's SUM fails past 2^63; the sums of both halves stay far below
PLAIN_DAY = timedelta(hours=24)


async def read_totals(
    connection: AsyncConnection, project: ProjectId, selection: Selection, days: Sequence[Day]
) -> Totals:
    """Read whole days and quarters from the totals, and what is left at the ends from records."""
    totals = Totals(by_day_and_model={}, by_alias={}, by_origin={})
    parts = list(_parts(project, selection, days))
    if not parts:
        return totals
    split = connection.dialect.name == "sqlite"
    for direction, day_index, name, *numbers in await connection.execute(_directions(parts, split)):
        sums = _sums_in(numbers, split)
        if direction == "day":
            totals.by_day_and_model[days[day_index].date, name] = sums
        elif direction == "alias":
            totals.by_alias[name] = sums
        else:
            totals.by_origin[name] = sums
    return totals


def _directions(parts: Sequence[Select[Any]], split: bool) -> CompoundSelect[Any]:
    """Return the sums by day and model, by alias, and by origin of all ``parts`` together."""
    rows = union_all(*parts).cte("parts")
    sums = [sum for name in MEASURES for sum in _sum(rows.c[name], name, split)]
    no_day = literal(-1, Integer).label("day_index")
    by_day = select(
        literal("day").label("direction"), rows.c.day_index, rows.c.model.label("name"), *sums
    )
    by_alias = select(literal("alias"), no_day, rows.c.alias, *sums)
    by_origin = select(literal("origin"), no_day, rows.c.origin, *sums)
    return union_all(
        by_day.group_by(rows.c.day_index, rows.c.model),
        by_alias.group_by(rows.c.alias),
        by_origin.group_by(rows.c.origin),
    )


def _parts(project: ProjectId, selection: Selection, days: Sequence[Day]) -> Iterator[Select[Any]]:
    quarters, pieces = whole_quarters(selection.period)
    runs, rest = whole_days(quarters, days)
    t, r = usage_totals.c, usage_records.c
    for span, ranges in ((QUARTERS_A_DAY, runs), (1, rest)):
        for part in ranges:
            inside = and_(t.span == span, t.start >= part.start, t.start < part.stop)
            measures = {name: t[name] for name in MEASURES}
            day_index = _day_index(t.start, days)
            yield _rows(usage_totals, day_index, measures, project, selection).where(inside)
    for piece in pieces:
        inside = and_(r.at >= piece.start, r.at < piece.end)
        day_index = literal(_index_of(piece.start, days), Integer)
        yield _rows(usage_records, day_index, raw_measures(), project, selection).where(inside)


def _rows(
    table: Table,
    day_index: ColumnElement[int],
    measures: Mapping[str, ColumnElement[int]],
    project: ProjectId,
    selection: Selection,
) -> Select[Any]:
    c = table.c
    labelled = [measures[name].label(name) for name in MEASURES]
    query = select(day_index.label("day_index"), c.model, c.alias, c.origin, *labelled)
    query = query.where(c.project == project)
    for name in ("model", "alias", "origin"):
        value = getattr(selection, name)
        if value is not None:
            query = query.where(c[name] == value)
    return query


def _sum(column: ColumnElement[int], name: str, split: bool) -> list[ColumnElement[Any]]:
    if not split or name not in TOKENS:
        return [func.sum(column).label(name)]
    high, low = column // SQLITE_SPLIT, column % SQLITE_SPLIT
    return [func.sum(high).label(f"{name}_high"), func.sum(low).label(name)]


def raw_measures() -> dict[str, ColumnElement[int]]:
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


def _index_of(at: datetime, days: Sequence[Day]) -> int:
    return next(index for index, day in enumerate(days) if day.start <= at < day.end)


def _sums_in(numbers: Sequence[int | Decimal], split: bool) -> Sums:
    """Read what ``_sum`` selects for each of MEASURES, in their order."""
    requests, unpriced, micros, picos, *tokens = map(int, numbers)
    if split:
        tokens = [high * SQLITE_SPLIT + low for high, low in zip(*[iter(tokens)] * 2, strict=True)]
    input_tokens, cached_input_tokens, output_tokens = tokens
    return Sums(
        requests=requests,
        unpriced=unpriced,
        cost_usd=EXACT.scaleb(Decimal(micros * PICOS_PER_MICRO + picos), -DECIMALS),
        input_tokens=input_tokens,
        cached_input_tokens=cached_input_tokens,
        output_tokens=output_tokens,
    )
