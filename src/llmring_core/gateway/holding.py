"""Budgets: hold what a call may come to, settle what it came to, let go of what is forgotten."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from llmring_core.clock import Clock
from llmring_core.gateway.admission import Admission
from llmring_core.gateway.errors import BudgetUsedUp
from llmring_core.gateway.limits import Hold, Limits, LimitsChange, check_count, check_usd
from llmring_core.gateway.ports import GatewayWork
from llmring_core.ids import HoldId, NewId, ProjectId, TokenId
from llmring_core.transactions import Begin

LONGEST_CALL: Final = timedelta(minutes=20)  # a call that takes longer was lost in a crash


@dataclass(frozen=True, slots=True)
class LapseHolds:
    """Let go of what crashed servers held."""

    begin: Begin[GatewayWork]
    clock: Clock

    async def __call__(self) -> int:
        """Return how many holds lapsed."""
        async with self.begin() as work:
            return await work.budgets.lapse(self.clock())


@dataclass(frozen=True, slots=True)
class HoldBudget:
    """Set aside the most a call may come to; what is left is never promised twice.

    One transaction of two or three statements, and only for calls that have a budget.
    """

    begin: Begin[GatewayWork]
    lapse: LapseHolds
    clock: Clock
    new_id: NewId

    async def __call__(self, admission: Admission, usd: Decimal, tokens: int) -> HoldId | None:
        """Return what to settle later; None where there is no budget to keep.

        Raises BudgetUsedUp, InvalidField.
        """
        check_usd("usd", usd)
        check_count("tokens", tokens)
        if not admission.is_budgeted:
            return None
        hold = Hold(
            id=HoldId(self.new_id()),
            project=admission.project,
            token=admission.token,
            usd=usd,
            tokens=tokens,
            lapses_at=self.clock() + LONGEST_CALL,
        )
        try:
            await self._held(hold)
        except BudgetUsedUp:  # unless what a crashed server held is in the way
            if not await self.lapse():
                raise
            await self._held(hold)
        return hold.id

    async def _held(self, hold: Hold) -> None:
        async with self.begin() as work:
            await work.budgets.hold(hold)


@dataclass(frozen=True, slots=True)
class SettleHold:
    """Count what a call came to in place of what was held for it."""

    begin: Begin[GatewayWork]

    async def __call__(self, hold: HoldId, usd: Decimal, tokens: int) -> bool:
        """Return False, changing nothing, when it was settled before. Raises InvalidField.

        Nothing was used: settle 0. A call may come to more than was held; that counts, too.
        """
        check_usd("usd", usd)
        check_count("tokens", tokens)
        async with self.begin() as work:
            return await work.budgets.settle(hold, usd, tokens)


async def relimit(work: GatewayWork, scope: TokenId | ProjectId, change: LimitsChange) -> None:
    """Change the limits of a token or project, which is locked; what is spent stays."""
    if change == LimitsChange():
        return
    budget = (await work.budgets.of([scope])).get(scope)
    await work.budgets.limit(scope, change.over(Limits() if budget is None else budget.limits))
