"""Attempts that are written down, in a dictionary."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from llmring_adapters.journal import Journal, JournaledDict
from llmring_core.gateway.journal import AttemptBook, StartedAttempt
from llmring_core.ids import UsageId
from llmring_core.usage import UsageLedger


class Leased(Struct, frozen=True, kw_only=True):
    attempt: StartedAttempt
    lapses_at: datetime


class MemoryAttemptBook(AttemptBook):
    def __init__(self, journal: Journal, usage: UsageLedger) -> None:
        self._attempts = JournaledDict[UsageId, Leased](journal)
        self._usage = usage

    async def add(self, attempts: Sequence[StartedAttempt], lapses_at: datetime) -> None:
        for attempt in attempts:
            self._attempts[attempt.id] = Leased(attempt=attempt, lapses_at=lapses_at)

    async def remove(self, attempts: Sequence[UsageId]) -> None:
        for id in attempts:
            if id in self._attempts:
                del self._attempts[id]

    async def renew(self, attempts: Sequence[UsageId], lapses_at: datetime) -> set[UsageId]:
        renewed = set()
        for id in attempts:
            kept = self._attempts.get(id)
            if kept is None or await self._usage.find(kept.attempt.project, id) is not None:
                continue
            self._attempts[id] = replace(kept, lapses_at=lapses_at)
            renewed.add(id)
        return renewed

    async def take_lapsed(self, at: datetime) -> StartedAttempt | None:
        lapsed = [kept for kept in self._attempts.values() if kept.lapses_at <= at]
        if not lapsed:
            return None
        first = min(lapsed, key=lambda kept: (kept.lapses_at, kept.attempt.id)).attempt
        del self._attempts[first.id]
        return first
