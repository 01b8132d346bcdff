"""Rule: what a call that was logged becomes: a priced record, and the answers that name it."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import json

from llmring_core.errors import InvalidField
from llmring_core.idempotency import KEY_LIFETIME, Answer, Attempt, fingerprint_of
from llmring_core.ids import ProjectId, UsageId
from llmring_core.money import MAX_RECORD_USD
from llmring_core.registry import Quote
from llmring_core.usage.commands import DEFAULT_PROFILE, UsageToLog
from llmring_core.usage.model import CostStatus, Logged, UsageRecord
from llmring_core.usage.pricing import cost_usd, rate_lines

NAMED = "usage.client_log_id"
FOR_GOOD = (NAMED, "usage.content", "usage.reprice")  # scopes whose answers stay with their record


def recorded(
    project: ProjectId,
    call: UsageToLog,
    quote: Quote | None,
    *,
    id: UsageId,
    at: datetime,
    request_id: str | None,
) -> UsageRecord:
    """Return the record of ``call``, priced by ``quote`` unless it says what it cost.

    Raises: InvalidField when it would cost more than a million dollars.
    """
    lines = rate_lines(call.tokens, quote.prices) if quote else ()
    registry_cost = cost_usd(lines) if quote else None
    if registry_cost is not None and registry_cost > MAX_RECORD_USD:
        raise InvalidField("tokens", f"must not cost more than {MAX_RECORD_USD} US dollars")
    return UsageRecord(
        id=id,
        project=project,
        at=at,
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
        adjusts=None,
    )


def logged_of(record: UsageRecord) -> Logged:
    """Return what whoever logged ``record`` is told."""
    return Logged(
        id=record.id, at=record.at, cost_usd=record.cost_usd, cost_status=record.cost_status
    )


def attempt_named(call: UsageToLog) -> Attempt | None:
    """Return the name that ``call`` gives itself; it is the same one wherever it is logged."""
    if call.client_log_id is None:
        return None
    return Attempt(scope=NAMED, key=call.client_log_id, fingerprint=fingerprint_of(call))


def answers_of(
    project: ProjectId, attempts: Sequence[Attempt], logged: Logged, now: datetime
) -> tuple[Answer, ...]:
    """Return the answer that each of ``attempts`` gets from ``now`` (UTC) on."""
    if not attempts:
        return ()
    body = json.encode(logged).decode()
    return tuple(
        Answer(
            project=project,
            attempt=attempt,
            body=body,
            expires_at=None if attempt.scope in FOR_GOOD else now + KEY_LIFETIME,
        )
        for attempt in attempts
    )


def _status(call: UsageToLog, priced: bool) -> CostStatus:
    if call.cost_usd is not None:
        return "client"
    return "registry" if priced else "unpriced"
