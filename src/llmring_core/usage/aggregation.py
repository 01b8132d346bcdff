"""Rule: one set of cells, added up in every direction, so that every direction agrees."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal, localcontext
from typing import TypeVar

from msgspec import Struct

from llmring_core.money import EXACT
from llmring_core.usage.model import Cell, Sums, UsageRecord
from llmring_core.usage.periods import first_of_month, first_of_week

Key = TypeVar("Key", str, str | None)

FIRST_DAY: dict[str, Callable[[date], date]] = {
    "day": lambda day: day,
    "week": first_of_week,
    "month": first_of_month,
}


class DaySums(Struct, frozen=True, kw_only=True):
    """A day, week or month: all of it, and the model with the most requests."""

    first_day: date
    sums: Sums
    top_model: str


class Summary(Struct, frozen=True, kw_only=True):
    """A project's totals, in every direction. None collects what has no alias or no origin."""

    total: Sums
    by_day: list[DaySums]  # newest first
    by_period: list[DaySums]  # newest first
    by_model: dict[str, Sums]
    by_alias: dict[str | None, Sums]
    by_origin: dict[str | None, Sums]


def summarise(cells: Sequence[Cell], group_by: str) -> Summary:
    """Add ``cells`` up by day, by ``group_by`` (day, week, month), model, alias and origin."""
    return Summary(
        total=add(cell.sums for cell in cells),
        by_day=_by_period(cells, FIRST_DAY["day"]),
        by_period=_by_period(cells, FIRST_DAY[group_by]),
        by_model=_grouped(cells, lambda cell: cell.model),
        by_alias=_grouped(cells, lambda cell: cell.alias),
        by_origin=_grouped(cells, lambda cell: cell.origin),
    )


def sums_of(record: UsageRecord) -> Sums:
    """Return what one record adds to its totals. A correction is no request of its own."""
    return Sums(
        requests=0 if record.kind == "adjustment" else 1,
        input_tokens=record.tokens.input_total,
        cached_input_tokens=record.tokens.input_cache_read,
        output_tokens=record.tokens.output_total,
        cost_usd=record.cost_usd or Decimal(0),
        unpriced=1 if record.cost_usd is None else 0,
    )


def add(parts: Iterable[Sums]) -> Sums:
    """Return the exact sum of ``parts``."""
    requests = input_tokens = cached_input_tokens = output_tokens = unpriced = 0
    cost_usd = Decimal(0)
    with localcontext(EXACT):
        for part in parts:
            requests += part.requests
            input_tokens += part.input_tokens
            cached_input_tokens += part.cached_input_tokens
            output_tokens += part.output_tokens
            cost_usd += part.cost_usd
            unpriced += part.unpriced
    return Sums(
        requests=requests,
        input_tokens=input_tokens,
        cached_input_tokens=cached_input_tokens,
        output_tokens=output_tokens,
        cost_usd=cost_usd,
        unpriced=unpriced,
    )


def _grouped(cells: Sequence[Cell], key: Callable[[Cell], Key]) -> dict[Key, Sums]:
    groups: dict[Key, list[Sums]] = {}
    for cell in cells:
        groups.setdefault(key(cell), []).append(cell.sums)
    return {name: add(groups[name]) for name in sorted(groups, key=_by_name)}


def _by_name(name: str | None) -> tuple[bool, str]:
    return name is None, name or ""


def _by_period(cells: Sequence[Cell], first_day: Callable[[date], date]) -> list[DaySums]:
    periods: dict[date, list[Cell]] = {}
    for cell in cells:
        periods.setdefault(first_day(cell.day), []).append(cell)
    return [
        DaySums(first_day=day, sums=add(cell.sums for cell in inside), top_model=_top(inside))
        for day, inside in sorted(periods.items(), reverse=True)
    ]


def _top(cells: Sequence[Cell]) -> str:
    """Return the model with the most requests; of equals the first by name."""
    models = _grouped(cells, lambda cell: cell.model)
    return min(models, key=lambda model: (-models[model].requests, model))
