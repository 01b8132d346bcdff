"""What the usage context does. Writes first, reads after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import json

from llmring_core.clock import Clock
from llmring_core.errors import InvalidField
from llmring_core.idempotency import (
    KEY_LIFETIME,
    AlreadyAnswered,
    Answer,
    Attempt,
    IdempotencyWork,
    Outcome,
    fingerprint_of,
    first_answer,
)
from llmring_core.ids import NewId, ProjectId, UsageId
from llmring_core.money import MAX_RECORD_USD
from llmring_core.pages import Page, PageRequest, cursor_of, key_of
from llmring_core.registry import CurrentRegistry
from llmring_core.text import check_text
from llmring_core.transactions import Begin
from llmring_core.usage.aggregation import Summary, summarise
from llmring_core.usage.commands import (
    DEFAULT_PROFILE,
    MAX_TEXT,
    Selection,
    SummaryRequest,
    UsageToLog,
)
from llmring_core.usage.model import CostStatus, Logged, UsageRecord
from llmring_core.usage.periods import days_of
from llmring_core.usage.ports import Entry, Position, UsageIntake, UsageWork
from llmring_core.usage.pricing import cost_usd, rate_lines


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
        record = self._priced(project, call, self.clock(), request_id)
        logged = Logged(
            id=record.id, at=record.at, cost_usd=record.cost_usd, cost_status=record.cost_status
        )
        attempts = _attempts(call, idempotency_key)
        entry = Entry(record=record, answers=_answers(project, attempts, logged))
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

    def _priced(
        self, project: ProjectId, call: UsageToLog, now: datetime, request_id: str | None
    ) -> UsageRecord:
        quote = self.registry.quote(call.provider, call.model)
        lines = rate_lines(call.tokens, quote.prices) if quote else ()
        registry_cost = cost_usd(lines) if quote else None
        if registry_cost is not None and registry_cost > MAX_RECORD_USD:
            raise InvalidField("tokens", f"must not cost more than {MAX_RECORD_USD} US dollars")
        return UsageRecord(
            id=UsageId(self.new_id()),
            project=project,
            at=now,
            kind="call",
            attempt_status="complete",
            provider=call.provider,
            model=call.model,
            alias=call.alias or None,
            profile=call.profile or DEFAULT_PROFILE,
            origin=call.origin or None,
            id_at_origin=call.id_at_origin,
            tokens=call.tokens,
            usage_source="client",
            cost_usd=registry_cost if call.cost_usd is None else call.cost_usd,
            cost_status=_status(call, registry_cost is not None),
            registry_cost_usd=registry_cost,
            registry_version=quote.registry_version if quote else None,
            registry_digest=quote.registry_digest if quote else None,
            rates=lines,
            latency_ms=call.latency_ms,
            metadata=call.metadata,
            client_log_id=call.client_log_id,
            request_id=request_id,
        )


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
class SummariseUsage:
    """Add the project's calls up by day, period, model, alias and origin."""

    begin: Begin[UsageWork]

    async def __call__(self, project: ProjectId, request: SummaryRequest) -> Summary:
        days = days_of(request.selection.period, request.zone)
        async with self.begin() as work:
            totals = await work.usage.totals(project, request.selection, days)
        return summarise(totals, request.group_by)


def _attempts(call: UsageToLog, idempotency_key: str | None) -> list[Attempt]:
    if idempotency_key is None and call.client_log_id is None:
        return []
    fingerprint = fingerprint_of(call)
    keys = (("usage.log", idempotency_key), ("usage.client_log_id", call.client_log_id))
    return [
        Attempt(scope=scope, key=key, fingerprint=fingerprint)
        for scope, key in keys
        if key is not None
    ]


def _answers(project: ProjectId, attempts: Sequence[Attempt], logged: Logged) -> tuple[Answer, ...]:
    if not attempts:
        return ()
    body = json.encode(logged).decode()
    lifetimes = {"usage.log": logged.at + KEY_LIFETIME, "usage.client_log_id": None}
    return tuple(
        Answer(project=project, attempt=attempt, body=body, expires_at=lifetimes[attempt.scope])
        for attempt in attempts
    )


def _status(call: UsageToLog, priced: bool) -> CostStatus:
    if call.cost_usd is not None:
        return "client"
    return "registry" if priced else "unpriced"


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
