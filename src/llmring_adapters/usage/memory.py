"""The usage ledger in dictionaries: records in order of time, and running totals beside them."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import islice

from llmring_adapters.journal import Journal, JournaledDict
from llmring_core.ids import ProjectId, UsageId
from llmring_core.usage import (
    MAX_TOTAL,
    QUARTERS_A_DAY,
    Cell,
    Day,
    DuplicateUsage,
    Period,
    Position,
    Selection,
    Sums,
    Totals,
    TotalsOverflow,
    UsageLedger,
    UsageRecord,
    add,
    quarter_of,
    start_of,
    sums_of,
    totals_of,
    whole_quarters,
)

TotalsKey = tuple[int, int, str, str | None, str | None]  # span, start, model, alias, origin


class MemoryUsage:
    """What is stored of one project."""

    def __init__(self, journal: Journal) -> None:
        self.order: list[tuple[datetime, UsageId]] = []  # ascending
        self.adjustments: JournaledDict[UsageId, tuple[UsageId, ...]] = JournaledDict(journal)
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

    async def find(self, project: ProjectId, id: UsageId) -> UsageRecord | None:
        found = self._records.get(id)
        return None if found is None or found.project != project else found

    async def newest(
        self,
        project: ProjectId,
        selection: Selection,
        limit: int,
        offset: int = 0,
        before: Position | None = None,
    ) -> list[UsageRecord]:
        found = self._newest_first(project, selection.period, before)
        wanted = (record for record in found if _wanted(record, selection))
        return list(islice(wanted, offset, offset + limit))

    async def adjustments(self, project: ProjectId, ids: Sequence[UsageId]) -> list[UsageRecord]:
        made = self._of(project).adjustments
        found = [self._records[one] for id in ids for one in made.get(id, ())]
        return sorted(found, key=lambda record: (record.at, record.id))

    async def totals(self, project: ProjectId, selection: Selection, days: Sequence[Day]) -> Totals:
        cells = self._cells(project, selection, days)
        return totals_of(cell for cell in cells if _wanted(cell, selection))

    def _cells(
        self, project: ProjectId, selection: Selection, days: Sequence[Day]
    ) -> Iterator[Cell]:
        quarters, pieces = whole_quarters(selection.period)
        for (span, start, model, alias, origin), sums in self._of(project).totals.items():
            if span == 1 and start in quarters:
                day = _day_of(start_of(start), days)
                yield Cell(day=day, model=model, alias=alias, origin=origin, sums=sums)
        for piece in pieces:
            for record in self._newest_first(project, piece, None):
                yield Cell(
                    day=_day_of(record.at, days),
                    model=record.model,
                    alias=record.alias,
                    origin=record.origin,
                    sums=sums_of(record),
                )

    def _append(self, record: UsageRecord) -> None:
        mine = self._of(record.project)
        quarter, more = quarter_of(record.at), sums_of(record)
        totals: dict[TotalsKey, Sums] = {}
        for span in (1, QUARTERS_A_DAY):
            start = quarter - quarter % span
            key = (span, start, record.model, record.alias, record.origin)
            totals[key] = add((mine.totals.get(key, Sums()), more))
        if any(max(sums.input_tokens, sums.output_tokens) > MAX_TOTAL for sums in totals.values()):
            raise TotalsOverflow
        entry = (record.at, record.id)
        insort(mine.order, entry)
        self._journal.append(lambda: mine.order.pop(bisect_left(mine.order, entry)))
        self._records[record.id] = record
        if record.adjusts is not None:
            before = mine.adjustments.get(record.adjusts, ())
            mine.adjustments[record.adjusts] = (*before, record.id)
        for key, sums in totals.items():
            mine.totals[key] = sums

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


def _wanted(found: UsageRecord | Cell, selection: Selection) -> bool:
    return (
        selection.model in (None, found.model)
        and selection.alias in (None, found.alias)
        and selection.origin in (None, found.origin)
    )


def _day_of(at: datetime, days: Sequence[Day]) -> date:
    return days[bisect_right(days, at, key=lambda day: day.start) - 1].date
