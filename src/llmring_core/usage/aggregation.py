"""Rule: one set of cells, added up in every direction, so that every direction agrees."""

from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal

from msgspec import Struct

from llmring_core.money import EXACT
from llmring_core.usage.model import Cell, Sums, Totals, UsageRecord
from llmring_core.usage.periods import first_of_month, first_of_week

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


def totals_of(cells: Iterable[Cell]) -> Totals:
    """Add ``cells`` up by day and model, by alias and by origin."""
    by_day_and_model: dict[tuple[date, str], list[Sums]] = {}
    by_alias: dict[str | None, list[Sums]] = {}
    by_origin: dict[str | None, list[Sums]] = {}
    for cell in cells:
        by_day_and_model.setdefault((cell.day, cell.model), []).append(cell.sums)
        by_alias.setdefault(cell.alias, []).append(cell.sums)
        by_origin.setdefault(cell.origin, []).append(cell.sums)
    return Totals(
        by_day_and_model={key: add(parts) for key, parts in by_day_and_model.items()},
        by_alias={name: add(parts) for name, parts in by_alias.items()},
        by_origin={name: add(parts) for name, parts in by_origin.items()},
    )


def summarise(totals: Totals, group_by: str) -> Summary:
    """Say ``totals`` by day, by ``group_by`` (day, week, month), model, alias and origin."""
    by_model: dict[str, list[Sums]] = {}
    for (_, model), sums in totals.by_day_and_model.items():
        by_model.setdefault(model, []).append(sums)
    by_day = _by_period(totals, FIRST_DAY["day"])
    return Summary(
        total=add(totals.by_day_and_model.values()),
        by_day=by_day,
        by_period=by_day if group_by == "day" else _by_period(totals, FIRST_DAY[group_by]),
        by_model={model: add(by_model[model]) for model in sorted(by_model)},
        by_alias=_sorted(totals.by_alias),
        by_origin=_sorted(totals.by_origin),
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
    for part in parts:
        requests += part.requests
        input_tokens += part.input_tokens
        cached_input_tokens += part.cached_input_tokens
        output_tokens += part.output_tokens
        cost_usd = EXACT.add(cost_usd, part.cost_usd)
        unpriced += part.unpriced
    return Sums(
        requests=requests,
        input_tokens=input_tokens,
        cached_input_tokens=cached_input_tokens,
        output_tokens=output_tokens,
        cost_usd=cost_usd,
        unpriced=unpriced,
    )


def _by_period(totals: Totals, first_day: Callable[[date], date]) -> list[DaySums]:
    periods: dict[date, dict[str, list[Sums]]] = {}
    for (day, model), sums in totals.by_day_and_model.items():
        periods.setdefault(first_day(day), {}).setdefault(model, []).append(sums)
    return [
        _day_sums(
            day,
            {model: parts[0] if len(parts) == 1 else add(parts) for model, parts in models.items()},
        )
        for day, models in sorted(periods.items(), reverse=True)
    ]


def _day_sums(day: date, models: dict[str, Sums]) -> DaySums:
    """Of models with equally many requests the first by name is on top."""
    top = min(models, key=lambda model: (-models[model].requests, model))
    return DaySums(first_day=day, sums=add(models.values()), top_model=top)


def _sorted(named: dict[str | None, Sums]) -> dict[str | None, Sums]:
    """Return the same by name, None last."""
    return dict(sorted(named.items(), key=lambda item: (item[0] is None, item[0] or "")))
