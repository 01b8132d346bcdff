"""Attempts are written down before a provider is asked, so that a crash loses none silently."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from llmring_core.clock import Clock
from llmring_core.gateway.forwarding.attempts import MAX_TEXT, storable
from llmring_core.gateway.journal import (
    LEASE,
    AttemptWork,
    EndedAttempts,
    StartedAttempt,
    WriteLines,
)
from llmring_core.ids import HoldId, UsageId
from llmring_core.transactions import Begin
from llmring_core.usage import DuplicateUsage, Tokens, UsageRecord, UsageToLog, recorded

MOST: Final = 200  # closed at a time: that must not take as long as a lease


@dataclass(frozen=True, slots=True)
class WriteDown:
    """Keep attempts that start and forget those that ended, all at once."""

    write: WriteLines
    clock: Clock

    async def __call__(self, entries: Sequence[StartedAttempt | EndedAttempts]) -> list[None]:
        """Raises StoreUnavailable."""
        started = [_written(entry) for entry in entries if isinstance(entry, StartedAttempt)]
        ended = [id for entry in entries if isinstance(entry, EndedAttempts) for id in entry.ids]
        await self.write(started, self.clock() + LEASE, ended)
        return [None] * len(entries)


@dataclass(frozen=True, slots=True)
class RenewLeases:
    """Tell everybody that attempts are still under way, and what is held for them still needed."""

    begin: Begin[AttemptWork]
    clock: Clock

    async def __call__(self, attempts: Sequence[UsageId]) -> set[UsageId]:
        """Return those that are still written down and not in the ledger yet.

        What is in the ledger already is not renewed: whoever made its record could not finish.
        """
        lapses_at = self.clock() + LEASE
        async with self.begin() as work:
            renewed = await work.attempts.renew(attempts, lapses_at)
            await work.budgets.renew([HoldId(id) for id in sorted(renewed)], lapses_at)
        return renewed


@dataclass(frozen=True, slots=True)
class CloseLostAttempts:
    """Record what crashed servers had under way, and settle what they held for it."""

    begin: Begin[AttemptWork]
    clock: Clock

    async def __call__(self) -> int:
        """Return how many were recorded as lost. Raises StoreUnavailable."""
        lost = 0
        for _ in range(MOST):
            try:
                was_lost = await self._close_one()
            except DuplicateUsage:  # recorded at this very moment: so it is found next time
                continue
            if was_lost is None:
                break
            lost += was_lost
        return lost

    async def _close_one(self) -> bool | None:
        """Return whether one had no record; None: there is none left. Raises DuplicateUsage."""
        async with self.begin() as work:
            now = self.clock()
            attempt = await work.attempts.take_lapsed(now)
            if attempt is None:
                return None
            found = await work.usage.find(attempt.project, attempt.id)
            record = found or _lost(attempt, now)
            if found is None:
                await work.usage.append([record])
            cost_usd = record.cost_usd or Decimal(0)
            await work.budgets.settle(HoldId(attempt.id), cost_usd, record.tokens.total)
        return found is None


def _written(attempt: StartedAttempt) -> StartedAttempt:
    """Return ``attempt`` as every store can keep it."""
    return replace(attempt, model=storable(attempt.model), endpoint=attempt.endpoint[:MAX_TEXT])


def _lost(attempt: StartedAttempt, at: datetime) -> UsageRecord:
    """Return a record of what nobody knows the end of, made at ``at`` (UTC)."""
    call = UsageToLog(
        provider=attempt.provider,
        model=storable(attempt.model),
        tokens=Tokens(),
        metadata={
            "endpoint": attempt.endpoint,
            "gateway_token_id": attempt.token,
            "status": None,
            "started_at": attempt.started_at.isoformat(),
        },
    )
    record = recorded(
        attempt.project, call, None, id=attempt.id, at=at, request_id=attempt.request_id
    )
    return replace(record, attempt_status="unknown", usage_source="missing")
