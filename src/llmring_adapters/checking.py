"""Looking a database over: is what was derived still what it was derived from?

Every question is one query, so however many rows there are, the database does the counting.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    cast,
    extract,
    func,
    literal,
    or_,
    select,
    text,
    type_coerce,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from llmring_adapters.maintenance import whole_read
from llmring_adapters.schema import metadata
from llmring_adapters.usage.reading import MEASURES, SQLITE_SPLIT, raw_measures
from llmring_adapters.usage.tables import usage_records, usage_totals
from llmring_adapters.usage.totals import PICOS_PER_MICRO
from llmring_core.usage import QUARTERS_A_DAY

QUARTER_S = 900
MICROS_A_QUARTER = QUARTER_S * 1_000_000
NAMES = ("project", "start", "model", "alias", "origin")

Progress: TypeAlias = Callable[[int, str], None]  # is told how many questions are answered


class Finding(Struct, frozen=True, kw_only=True):
    """Something that should not be so."""

    check: str
    project: str | None  # None: not one project's
    text: str


Check: TypeAlias = Callable[[AsyncConnection], AsyncIterator[Finding]]


async def check_database(engine: AsyncEngine, progress: Progress) -> list[Finding]:
    """Return what is wrong in one view of the whole database; others go on writing beside it."""
    findings: list[Finding] = []
    async with whole_read(engine) as connection:
        for done, (name, check) in enumerate(CHECKS.items()):
            progress(done, name)
            findings += [finding async for finding in check(connection)]
    return findings


async def _file(connection: AsyncConnection) -> AsyncIterator[Finding]:
    if connection.dialect.name != "sqlite":
        return
    for (said,) in await connection.execute(text("PRAGMA integrity_check(20)")):
        if said != "ok":
            yield Finding(check="file", project=None, text=said)


async def _references(connection: AsyncConnection) -> AsyncIterator[Finding]:
    """Rows whose parent is missing; the database should not have let that happen."""
    for table in metadata.sorted_tables:
        for key in table.foreign_keys:
            column, parent = key.parent, key.column.table.alias("parent")
            here = select(parent).where(parent.c[key.column.key] == column).exists()
            orphans = select(func.count()).where(column.is_not(None), ~here)
            count = await connection.scalar(orphans.select_from(table))
            if count:
                what = f"rows of {table.name} whose {key.column.table.name} is missing: {count}"
                yield Finding(check="references", project=None, text=what)


async def _adjustments(connection: AsyncConnection) -> AsyncIterator[Finding]:
    c, call = usage_records.c, usage_records.alias("call")
    there = select(call.c.id).where(call.c.id == c.adjusts, call.c.project == c.project).exists()
    orphans = select(c.project, func.count()).where(c.adjusts.is_not(None), ~there)
    for project, count in await connection.execute(orphans.group_by(c.project)):
        what = f"corrections of calls that are missing: {count}"
        yield Finding(check="corrections", project=project, text=what)


async def _repeated(connection: AsyncConnection) -> AsyncIterator[Finding]:
    c = usage_records.c
    named = select(c.project).where(c.client_log_id.is_not(None), c.kind != "adjustment")
    twice = named.group_by(c.project, c.client_log_id).having(func.count() > 1).subquery()
    query = select(twice.c.project, func.count()).group_by(twice.c.project)
    for project, count in await connection.execute(query):
        what = f"values of client_log_id that are stored more than once: {count}"
        yield Finding(check="client_log_id", project=project, text=what)


async def _totals(
    connection: AsyncConnection, name: str, sides: Callable[[str], Sequence[Select[Any]]]
) -> AsyncIterator[Finding]:
    """Compare totals with what they are totals of: one side counts as positive, one as negative."""
    dialect = connection.dialect.name
    rows = union_all(*sides(dialect)).subquery()
    by_names = [rows.c[column] for column in NAMES]
    sums = {measure: _sum(rows, measure, dialect) for measure in MEASURES}
    # Not compared one by one: both sides carry from picos to micros in their own time.
    cost = sums["cost_micros"] * PICOS_PER_MICRO + sums["cost_picos"]
    differs = or_(cost != 0, *(s != 0 for m, s in sums.items() if not m.startswith("cost_")))
    wrong = select(rows.c.project).group_by(*by_names).having(differs).subquery()
    query = select(wrong.c.project, func.count()).group_by(wrong.c.project)
    for project, count in await connection.execute(query):
        what = f"totals that differ from the {name} they are made of: {count}"
        yield Finding(check=f"totals of {name}", project=project, text=what)


def _records_against_quarters(dialect: str) -> list[Select[Any]]:
    c = usage_records.c
    names = [c.project, _quarter(dialect).label("start"), c.model, c.alias, c.origin]
    return [_side(names, raw_measures(), 1), _stored(1, usage_totals.c.start, -1)]


def _quarters_against_days(_: str) -> list[Select[Any]]:
    start = usage_totals.c.start
    day = start - start % QUARTERS_A_DAY
    return [_stored(1, day, 1), _stored(QUARTERS_A_DAY, start, -1)]


def _stored(span: int, start: ColumnElement[int], sign: int) -> Select[Any]:
    c = usage_totals.c
    names = [c.project, start.label("start"), c.model, c.alias, c.origin]
    return _side(names, {name: c[name] for name in MEASURES}, sign).where(c.span == span)


def _side(names: Sequence[Any], measures: dict[str, ColumnElement[int]], sign: int) -> Select[Any]:
    signed = [(measure * literal(sign, Integer)).label(name) for name, measure in measures.items()]
    return select(*names, *signed)


def _quarter(dialect: str) -> ColumnElement[int]:
    """Return the quarter of an hour in which a record lies, since 1970 in UTC."""
    at = usage_records.c.at
    if dialect == "sqlite":
        return type_coerce(at, BigInteger) // MICROS_A_QUARTER
    return cast(func.floor(extract("epoch", at) / QUARTER_S), Integer)


def _sum(rows: FromClause, name: str, dialect: str) -> ColumnElement[Any]:
    """Return a sum that cannot overflow where it is 0, as it should be."""
    column = rows.c[name]
    if dialect != "sqlite":
        return func.sum(column)
    high, low = column // SQLITE_SPLIT, column % SQLITE_SPLIT
    return func.sum(high) * SQLITE_SPLIT + func.sum(low)


CHECKS: dict[str, Check] = {
    "file": _file,
    "references": _references,
    "corrections": _adjustments,
    "client_log_id": _repeated,
    "totals of records": partial(_totals, name="records", sides=_records_against_quarters),
    "totals of quarters": partial(_totals, name="quarters", sides=_quarters_against_days),
}
