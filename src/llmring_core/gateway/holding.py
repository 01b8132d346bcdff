"""Budgets: hold what a call may come to, settle what it came to, let go of what is forgotten."""

from dataclasses import dataclass
from decimal import Decimal

from llmring_core.clock import Clock
from llmring_core.gateway.admission import Admission
from llmring_core.gateway.errors import BudgetUsedUp
from llmring_core.gateway.journal import LEASE
from llmring_core.gateway.limits import Hold, Limits, LimitsChange, check_count, check_usd
from llmring_core.gateway.ports import GatewayWork
from llmring_core.ids import HoldId, ProjectId, TokenId
from llmring_core.transactions import Begin


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

    async def __call__(self, admission: Admission, id: HoldId, usd: Decimal, tokens: int) -> bool:
        """Return whether anything is held, as ``id``: False where there is no budget to keep.

        It lapses after a lease, unless that is renewed.

        Raises BudgetUsedUp, InvalidField.
        """
        check_usd("usd", usd)
        check_count("tokens", tokens)
        if not admission.is_budgeted:
            return False
        hold = Hold(
            id=id,
            project=admission.project,
            token=admission.token,
            usd=usd,
            tokens=tokens,
            lapses_at=self.clock() + LEASE,
        )
        try:
            await self._held(hold)
        except BudgetUsedUp:  # unless what a crashed server held is in the way
            if not await self.lapse():
                raise
            await self._held(hold)
        return True

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
