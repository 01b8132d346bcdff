"""What the usage context does. Writes first, reads after."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import json

from llmring_core.clock import Clock
from llmring_core.errors import InvalidField
from llmring_core.idempotency import (
    AlreadyAnswered,
    Attempt,
    IdempotencyWork,
    Outcome,
    fingerprint_of,
    first_answer,
)
from llmring_core.ids import NewId, ProjectId, UsageId
from llmring_core.pages import PAGE_MAX, Page, PageRequest, cursor_of, key_of
from llmring_core.registry import CurrentRegistry
from llmring_core.text import check_text
from llmring_core.transactions import Begin
from llmring_core.usage.aggregation import Summary, summarise
from llmring_core.usage.commands import (
    MAX_TEXT,
    Selection,
    SummaryRequest,
    UsageToLog,
)
from llmring_core.usage.model import Logged, UsageRecord
from llmring_core.usage.periods import days_of
from llmring_core.usage.ports import Entry, Position, UsageIntake, UsageWork
from llmring_core.usage.recording import answers_of, attempt_named, logged_of, recorded


@dataclass(frozen=True, slots=True)
class LogUsage:
    """Price one LLM call and append it to the project's ledger, once however often it is sent."""

    begin: Begin[IdempotencyWork]
    intake: UsageIntake
    registry: CurrentRegistry
    clock: Clock
    new_id: NewId

    async def __call__(
        self,
        project: ProjectId,
        call: UsageToLog,
        idempotency_key: str | None = None,
        request_id: str | None = None,
    ) -> Outcome[Logged]:
        """Raises KeyReused, TotalsOverflow, Overloaded, StoreUnavailable."""
        now = self.clock()
        quote = self.registry.quote(call.provider, call.model)
        id = UsageId(self.new_id())
        record = recorded(project, call, quote, id=id, at=now, request_id=request_id)
        logged = logged_of(record)
        attempts = _attempts(call, idempotency_key)
        answers = answers_of(project, attempts, logged, now)
        entry = Entry(record=record, answers=answers, taken_at=now)
        try:
            await self.intake.take(entry)
        except AlreadyAnswered:
            return await self._first_outcome(project, attempts, record.at)
        return Outcome(value=logged, replayed=False)

    async def _first_outcome(
        self, project: ProjectId, attempts: Sequence[Attempt], now: datetime
    ) -> Outcome[Logged]:
        async with self.begin() as work:
            body = await first_answer(work.answers, project, attempts, now)
        return Outcome(value=json.decode(body, type=Logged), replayed=True)


@dataclass(frozen=True, slots=True)
class ListUsage:
    """Read the project's calls, newest first."""

    begin: Begin[UsageWork]

    async def __call__(
        self, project: ProjectId, selection: Selection, page: PageRequest
    ) -> Page[UsageRecord]:
        """Raises InvalidField when the page's cursor is not one of ours."""
        before = None if page.cursor is None else _position(page.cursor)
        async with self.begin() as work:
            found = await work.usage.newest(
                project, selection, page.limit + 1, page.offset, before
            )  # one more than asked for tells whether there is a next page
        items = found[: page.limit]
        return Page(items=items, next=_cursor(items[-1]) if len(found) > page.limit else None)


@dataclass(frozen=True, slots=True)
class ExportUsage:
    """Read all of the project's calls, newest first, in pages of a transaction each.

    However slowly the pages are taken, no connection is held in between.
    """

    begin: Begin[UsageWork]

    async def __call__(
        self,
        project: ProjectId,
        selection: Selection,
        *,
        limit: int | None = None,
        offset: int = 0,
        cursor: str | None = None,
    ) -> AsyncGenerator[list[UsageRecord], None]:
        """Yield pages, at least one. Raises InvalidField when the cursor is not one of ours."""
        before = None if cursor is None else _position(cursor)
        async with aclosing(
            pages_of(self.begin, project, selection, limit=limit, offset=offset, before=before)
        ) as pages:
            async for page in pages:
                yield page


@dataclass(frozen=True, slots=True)
class SummariseUsage:
    """Add the project's calls up by day, period, model, alias and origin."""

    begin: Begin[UsageWork]

    async def __call__(self, project: ProjectId, request: SummaryRequest) -> Summary:
        days = days_of(request.selection.period, request.zone)
        async with self.begin() as work:
            totals = await work.usage.totals(project, request.selection, days)
        return summarise(totals, request.group_by)


async def pages_of(
    begin: Begin[UsageWork],
    project: ProjectId,
    selection: Selection,
    *,
    limit: int | None = None,
    offset: int = 0,
    before: Position | None = None,
) -> AsyncGenerator[list[UsageRecord], None]:
    """Yield the selected records, newest first, each page read in a transaction of its own."""
    left = limit
    while True:
        size = PAGE_MAX if left is None else min(left, PAGE_MAX)
        async with begin() as work:
            found = await work.usage.newest(project, selection, size, offset, before)
        yield found
        left = None if left is None else left - len(found)
        if len(found) < size or left == 0:
            return
        before, offset = Position(at=found[-1].at, id=found[-1].id), 0


def _attempts(call: UsageToLog, idempotency_key: str | None) -> list[Attempt]:
    if idempotency_key is None and call.client_log_id is None:
        return []
    named = attempt_named(call)
    attempts = [] if named is None else [named]
    if idempotency_key is not None:
        fingerprint = fingerprint_of(call) if named is None else named.fingerprint
        by_key = Attempt(scope="usage.log", key=idempotency_key, fingerprint=fingerprint)
        attempts.insert(0, by_key)
    return attempts


def _cursor(record: UsageRecord) -> str:
    return cursor_of(json.encode(Position(at=record.at, id=record.id)).decode())


def _position(cursor: str) -> Position:
    rule = "must be the value of a previous page's next cursor"
    try:
        position = json.decode(key_of(cursor), type=Position)
    except ValueError:
        raise InvalidField("cursor", rule) from None
    if position.at.utcoffset() != timedelta():  # we write UTC
        raise InvalidField("cursor", rule)
    check_text("cursor", position.id, MAX_TEXT)
    return position
