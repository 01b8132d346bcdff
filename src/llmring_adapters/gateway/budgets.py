"""Budgets in SQL: sums in one row per scope, so that a hold is one conditional statement.

Locks are taken in one order everywhere: holds, then tokens' budgets, then projects'.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from msgspec.structs import asdict
from sqlalchemy import ColumnElement, Row, and_, case, delete, insert, literal, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from llmring_adapters.gateway.tables import gateway_budgets, gateway_holds
from llmring_core.gateway import (
    MOST_TOKENS,
    MOST_USD,
    Budget,
    BudgetBook,
    BudgetUsedUp,
    Hold,
    Limits,
)
from llmring_core.ids import HoldId, ProjectId, TokenId

AT_ONCE: Final = 1000  # holds that one transaction lets go of
REMEMBERED: Final = timedelta(days=1)  # for a call that settles after all


class SqlBudgetBook(BudgetBook):
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def limit(self, scope: TokenId | ProjectId, limits: Limits) -> None:
        dialect = sqlite if self._connection.dialect.name == "sqlite" else postgresql
        nothing = {"spent_usd": Decimal(0), "spent_tokens": 0}
        nothing |= {"held_usd": Decimal(0), "held_tokens": 0}
        put = dialect.insert(gateway_budgets).values(scope=scope, **asdict(limits), **nothing)
        await self._connection.execute(
            put.on_conflict_do_update(
                index_elements=gateway_budgets.primary_key, set_=asdict(limits)
            )
        )

    async def of(self, scopes: Sequence[TokenId | ProjectId]) -> dict[str, Budget]:
        c, found = gateway_budgets.c, {}
        for start in range(0, len(scopes), AT_ONCE):
            query = select(gateway_budgets).where(c.scope.in_(scopes[start : start + AT_ONCE]))
            for row in await self._connection.execute(query):
                found[row.scope] = Budget(
                    limits=Limits(max_usd=row.max_usd, max_tokens=row.max_tokens),
                    spent_usd=row.spent_usd,
                    spent_tokens=row.spent_tokens,
                    held_usd=row.held_usd,
                    held_tokens=row.held_tokens,
                )
        return {scope: found[scope] for scope in scopes if scope in found}

    async def hold(self, hold: Hold) -> None:
        row = asdict(hold) | {"has_lapsed": False}
        row["of_token"] = await self._held(hold.token, hold)
        row["of_project"] = await self._held(hold.project, hold)
        if row["of_token"] or row["of_project"]:
            await self._connection.execute(insert(gateway_holds).values(row))

    async def settle(self, hold: HoldId, usd: Decimal, tokens: int) -> bool:
        mine = gateway_holds.c.id == hold
        ended = await self._connection.execute(
            delete(gateway_holds).where(mine).returning(gateway_holds)
        )
        row = ended.one_or_none()
        if row is None:
            return False
        held = (Decimal(0), 0) if row.has_lapsed else (row.usd, row.tokens)
        for _, scope in _scopes(row):
            await self._move(scope, held, (usd, tokens))
        return True

    async def renew(self, holds: Sequence[HoldId], lapses_at: datetime) -> None:
        c = gateway_holds.c
        renewed = update(gateway_holds).where(c.id.in_(holds), ~c.has_lapsed)
        await self._connection.execute(renewed.values(lapses_at=lapses_at))

    async def lapse(self, at: datetime) -> int:
        c = gateway_holds.c
        due = select(gateway_holds).where(c.lapses_at <= at, ~c.has_lapsed)
        due = due.order_by(c.id).limit(AT_ONCE).with_for_update(skip_locked=True)
        rows = (await self._connection.execute(due)).all()
        if not rows:
            return 0
        lapsed = update(gateway_holds).where(c.id.in_([row.id for row in rows]))
        await self._connection.execute(lapsed.values(has_lapsed=True))
        forgotten = and_(c.has_lapsed, c.lapses_at <= at - REMEMBERED)
        await self._connection.execute(delete(gateway_holds).where(forgotten))
        sums = defaultdict[tuple[int, str], tuple[Decimal, int]](lambda: (Decimal(0), 0))
        for row in rows:
            for ranked in _scopes(row):
                usd, tokens = sums[ranked]
                sums[ranked] = usd + row.usd, tokens + row.tokens
        for ranked in sorted(sums):
            await self._move(ranked[1], sums[ranked], (Decimal(0), 0))
        return len(rows)

    async def _held(self, scope: str, hold: Hold) -> bool:
        """Hold of one budget; False when there is none. Raises BudgetUsedUp."""
        c = gateway_budgets.c
        mine = c.scope == scope
        held = update(gateway_budgets).where(
            mine,
            _fits(c.max_usd, c.spent_usd, c.held_usd, hold.usd, MOST_USD),
            _fits(c.max_tokens, c.spent_tokens, c.held_tokens, hold.tokens, MOST_TOKENS),
        )
        values = {"held_usd": c.held_usd + hold.usd, "held_tokens": c.held_tokens + hold.tokens}
        done = await self._connection.execute(held.values(values).returning(c.scope))
        if done.one_or_none() is not None:
            return True
        known = await self._connection.execute(select(c.scope).where(mine))
        if known.one_or_none() is not None:
            raise BudgetUsedUp
        return False

    async def _move(
        self, scope: str, held: tuple[Decimal, int], spent: tuple[Decimal, int]
    ) -> None:
        c = gateway_budgets.c
        values = {
            "held_usd": c.held_usd - held[0],
            "held_tokens": c.held_tokens - held[1],
            "spent_usd": _added(c.spent_usd, spent[0], MOST_USD),
            "spent_tokens": _added(c.spent_tokens, spent[1], MOST_TOKENS),
        }
        await self._connection.execute(
            update(gateway_budgets).where(c.scope == scope).values(values)
        )


def _scopes(hold: Row[Any]) -> list[tuple[int, str]]:
    """Return what it is held of, each with its place in the order of locks."""
    found = [(0, hold.token)] if hold.of_token else []
    return [*found, (1, hold.project)] if hold.of_project else found


def _fits(
    most: ColumnElement[Any],
    spent: ColumnElement[Any],
    held: ColumnElement[Any],
    wanted: Any,
    ceiling: Any,
) -> ColumnElement[bool]:
    """Something is left, and enough; without a limit, no more is held than can be written down."""
    more = literal(wanted, most.type)  # a sum has lost the type that writes dollars as integers
    within = and_(spent + held < most, spent + held + more <= most)
    return or_(within, and_(most.is_(None), held + more <= literal(ceiling, most.type)))


def _added(spent: ColumnElement[Any], more: Any, ceiling: Any) -> ColumnElement[Any]:
    most, added = literal(ceiling, spent.type), literal(more, spent.type)
    return case((spent > most - added, most), else_=spent + added)
