"""Keeping the price list current where several servers do the same."""

from dataclasses import dataclass
from datetime import timedelta

from llmring_core.clock import Clock
from llmring_core.registry.model import Confirmation, RegistryStatus
from llmring_core.registry.ports import CheckBoard
from llmring_core.registry.use_cases import RefreshRegistry

SKEW = timedelta(seconds=5)  # between the clocks of two servers


@dataclass(frozen=True, slots=True)
class KeepRegistryCurrent:
    """Take another server's word that what the database has is current; else ask the registry."""

    refresh: RefreshRegistry
    board: CheckBoard
    clock: Clock
    valid_s: float  # how long a word counts

    async def __call__(self) -> RegistryStatus:
        """Raises StoreUnavailable; what was in force stays so."""
        told = await self.board.read()
        if told is not None and self._counts(told):
            status = await self.refresh.take_word(told)
            if status is not None:
                return status
        found: Confirmation | None = None
        try:
            status = await self.refresh()
            if status.checked_at is not None and not status.stale:
                found = Confirmation(digest=status.digest, checked_at=status.checked_at)
            return status
        finally:
            await self.board.write(found)

    def _counts(self, told: Confirmation) -> bool:
        age = self.clock() - told.checked_at
        return -SKEW <= age <= timedelta(seconds=self.valid_s)
