"""One call to a provider becomes one record of the ledger, however it ended."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from llmring_core.clock import Clock
from llmring_core.errors import InvalidField
from llmring_core.gateway.forwarding.ports import Metered
from llmring_core.ids import NewId, ProjectId, UsageId
from llmring_core.registry import CurrentRegistry
from llmring_core.text import check_name
from llmring_core.usage import (
    DuplicateUsage,
    Entry,
    JsonObject,
    UsageIntake,
    UsageRecord,
    UsageToLog,
    recorded,
)

Outcome = Literal["complete", "truncated", "client_disconnected", "upstream_error", "unknown"]

MAX_TEXT = 255  # characters, as for every logged call
UNNAMED = "unknown"  # a model that the call does not name, or not as text


class Attempt(Struct, frozen=True, kw_only=True):
    """A provider was asked once."""

    id: UsageId  # the record's
    project: ProjectId
    token_id: str
    provider: str
    method: str
    endpoint: str
    model: str | None  # as the caller named it
    status: int | None  # of the answer; None: none came
    outcome: Outcome
    metered: Metered
    latency_ms: int
    request_id: str


@dataclass(frozen=True, slots=True)
class RecordAttempt:
    """Append an attempt to its project's ledger, priced when it is known what it consumed."""

    intake: UsageIntake
    registry: CurrentRegistry
    clock: Clock
    new_id: NewId

    async def __call__(self, attempt: Attempt) -> UsageRecord:
        """Return its record once that is committed.

        Where it was closed as lost meanwhile, that is a correction.

        Raises TotalsOverflow, Overloaded, StoreUnavailable.
        """
        now = self.clock()
        try:
            record = self._record(attempt, attempt.metered, now)
        except InvalidField:  # no provider charges that: what it said of usage cannot be true
            record = self._record(attempt, Metered(), now)
        try:
            await self._append(record)
        except DuplicateUsage:
            record = replace(
                record, id=UsageId(self.new_id()), kind="adjustment", adjusts=attempt.id
            )
            await self._append(record)
        return record

    async def _append(self, record: UsageRecord) -> None:
        await self.intake.take(Entry(record=record, answers=(), taken_at=record.at))

    def _record(self, attempt: Attempt, metered: Metered, now: datetime) -> UsageRecord:
        call = _call_of(attempt, metered)
        known = metered.source != "missing"
        record = recorded(
            attempt.project,
            call,
            self.registry.quote(call.provider, call.model) if known else None,
            id=attempt.id,
            at=now,
            request_id=attempt.request_id,
        )
        return replace(record, attempt_status=attempt.outcome, usage_source=metered.source)


def is_recorded(method: str, model: str | None) -> bool:
    """Return whether a call may have cost something: looking up models or files does not."""
    return method not in ("GET", "HEAD", "OPTIONS", "DELETE") or model is not None


def storable(model: str | None) -> str:
    """Return the model as it was named, where that can be stored."""
    try:
        check_name("model", model or "", MAX_TEXT)
    except InvalidField:
        return UNNAMED
    return model or UNNAMED


def _call_of(attempt: Attempt, metered: Metered) -> UsageToLog:
    metadata: JsonObject = {
        "endpoint": attempt.endpoint[:MAX_TEXT],
        "gateway_token_id": attempt.token_id,
        "status": attempt.status,
    }
    if metered.besides:
        metadata["usage_besides"] = {**metered.besides}
    return UsageToLog(
        provider=attempt.provider,
        model=storable(attempt.model),
        tokens=metered.tokens,
        latency_ms=attempt.latency_ms,
        metadata=metadata,
    )
