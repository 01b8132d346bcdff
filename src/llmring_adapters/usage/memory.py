"""The usage ledger in dictionaries: records in order of time, and running totals beside them."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import islice

from llmring_adapters.journal import Journal, JournaledDict
from llmring_core.ids import ProjectId, UsageId
from llmring_core.usage import (
    MAX_TOTAL,
    Cell,
    Day,
    DuplicateUsage,
    Period,
    Position,
    Selection,
    Sums,
    TotalsOverflow,
    UsageLedger,
    UsageRecord,
    add,
    quarter_of,
    start_of,
    sums_of,
    whole_quarters,
)

TotalsKey = tuple[int, str, str | None, str | None]  # quarter, model, alias, origin


class MemoryUsage:
    """What is stored of one project."""

    def __init__(self, journal: Journal) -> None:
        self.order: list[tuple[datetime, UsageId]] = []  # ascending
        self.totals: JournaledDict[TotalsKey, Sums] = JournaledDict(journal)


class MemoryUsageLedger(UsageLedger):
    def __init__(
        self,
        records: JournaledDict[UsageId, UsageRecord],
        projects: dict[ProjectId, MemoryUsage],
        journal: Journal,
    ) -> None:
        self._records = records
        self._projects = projects
        self._journal = journal

    async def append(self, records: Sequence[UsageRecord]) -> None:
        for record in records:
            if record.id in self._records:
                raise DuplicateUsage(record.id)
            self._append(record)

    async def newest(
        self,
        project: ProjectId,
        selection: Selection,
        limit: int,
        offset: int = 0,
        before: Position | None = None,
    ) -> list[UsageRecord]:
        found = self._newest_first(project, selection.period, before)
        wanted = (r for r in found if _wanted(r.model, r.alias, r.origin, selection))
        return list(islice(wanted, offset, offset + limit))

    async def cells(
        self, project: ProjectId, selection: Selection, days: Sequence[Day]
    ) -> list[Cell]:
        quarters, pieces = whole_quarters(selection.period)
        cells = [
            Cell(
                day=_day_of(start_of(quarter), days),
                model=model,
                alias=alias,
                origin=origin,
                sums=sums,
            )
            for (quarter, model, alias, origin), sums in self._of(project).totals.items()
            if quarter in quarters and _wanted(model, alias, origin, selection)
        ]
        for piece in pieces:
            cells += [
                Cell(
                    day=_day_of(record.at, days),
                    model=record.model,
                    alias=record.alias,
                    origin=record.origin,
                    sums=sums_of(record),
                )
                for record in self._newest_first(project, piece, None)
                if _wanted(record.model, record.alias, record.origin, selection)
            ]
        return cells

    def _append(self, record: UsageRecord) -> None:
        mine = self._of(record.project)
        key = (quarter_of(record.at), record.model, record.alias, record.origin)
        total = add((mine.totals.get(key, Sums()), sums_of(record)))
        if max(total.input_tokens, total.output_tokens) > MAX_TOTAL:
            raise TotalsOverflow
        entry = (record.at, record.id)
        insort(mine.order, entry)
        self._journal.append(lambda: mine.order.pop(bisect_left(mine.order, entry)))
        self._records[record.id] = record
        mine.totals[key] = total

    def _of(self, project: ProjectId) -> MemoryUsage:
        if project not in self._projects:
            self._projects[project] = MemoryUsage(self._journal)
        return self._projects[project]

    def _newest_first(
        self, project: ProjectId, period: Period, before: Position | None
    ) -> Iterator[UsageRecord]:
        order = self._of(project).order
        first = bisect_left(order, (period.start, ""))
        last = bisect_left(order, (period.end, ""))
        if before is not None:
            last = min(last, bisect_left(order, (before.at, before.id)))
        return (self._records[order[index][1]] for index in range(last - 1, first - 1, -1))


def _wanted(model: str, alias: str | None, origin: str | None, selection: Selection) -> bool:
    pairs = ((selection.model, model), (selection.alias, alias), (selection.origin, origin))
    return all(wanted is None or wanted == value for wanted, value in pairs)


def _day_of(at: datetime, days: Sequence[Day]) -> date:
    return days[bisect_right(days, at, key=lambda day: day.start) - 1].date
