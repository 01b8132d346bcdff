"""The JSON of ``/stats``: the seed documents' shape, with whole-day totals."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal, Self

from msgspec import Struct

from llmring_core.money import plain
from llmring_core.usage import DaySums, Summary, SummaryRequest, Sums, zone_named
from llmring_http.usage.wire import SelectionQuery, UsdNumber, usd_number

DECIMALS_SHOWN = 8  # at least, as historic servers print amounts


class StatsQuery(SelectionQuery, frozen=True, kw_only=True):
    group_by: Literal["day", "week", "month"] = "day"

    def request(self, now: datetime) -> SummaryRequest:
        """Raises InvalidField."""
        selection, zone = self.selection(now), zone_named(self.tz)
        return SummaryRequest(selection=selection, zone=zone, group_by=self.group_by)


class StatsSummary(Struct, frozen=True, kw_only=True):
    total_requests: int
    total_cost: str
    total_tokens: int
    unique_models: int
    unique_origins: int
    cached_input_tokens: int
    unpriced_requests: int


class StatsPeriod(Struct, frozen=True, kw_only=True):
    date: date  # the first day of the period
    requests: int
    cost: str
    top_model: str

    @classmethod
    def of(cls, period: DaySums) -> Self:
        return cls(
            date=period.first_day,
            requests=period.sums.requests,
            cost=_text(period.sums.cost_usd),
            top_model=period.top_model,
        )


class StatsGroup(Struct, frozen=True, kw_only=True):
    requests: int
    cost: str
    input_tokens: int
    output_tokens: int

    @classmethod
    def of(cls, sums: Sums) -> Self:
        return cls(
            requests=sums.requests,
            cost=_text(sums.cost_usd),
            input_tokens=sums.input_tokens,
            output_tokens=sums.output_tokens,
        )


class StatsOrigin(Struct, frozen=True, kw_only=True):
    requests: int
    cost: UsdNumber  # a number here, as historic servers have it

    @classmethod
    def of(cls, sums: Sums) -> Self:
        return cls(requests=sums.requests, cost=usd_number(sums.cost_usd))


class Stats(Struct, frozen=True, kw_only=True):
    summary: StatsSummary
    group_by: str
    by_day: list[StatsPeriod]  # newest first
    by_period: list[StatsPeriod]  # newest first
    by_model: dict[str, StatsGroup]
    by_origin: dict[str, StatsOrigin]
    by_alias: dict[str, StatsGroup]

    @classmethod
    def of(cls, summary: Summary, group_by: str) -> Self:
        total = summary.total
        origins = {name: s for name, s in summary.by_origin.items() if name is not None}
        aliases = {name: s for name, s in summary.by_alias.items() if name is not None}
        return cls(
            summary=StatsSummary(
                total_requests=total.requests,
                total_cost=_text(total.cost_usd),
                total_tokens=total.input_tokens + total.output_tokens,
                unique_models=len(summary.by_model),
                unique_origins=len(origins),
                cached_input_tokens=total.cached_input_tokens,
                unpriced_requests=total.unpriced,
            ),
            group_by=group_by,
            by_day=[StatsPeriod.of(day) for day in summary.by_day],
            by_period=[StatsPeriod.of(period) for period in summary.by_period],
            by_model={name: StatsGroup.of(sums) for name, sums in summary.by_model.items()},
            by_origin={name: StatsOrigin.of(sums) for name, sums in origins.items()},
            by_alias={name: StatsGroup.of(sums) for name, sums in aliases.items()},
        )


def _text(amount: Decimal) -> str:
    return plain(amount, DECIMALS_SHOWN) if amount else "0"
