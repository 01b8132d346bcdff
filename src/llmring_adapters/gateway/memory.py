"""Gateway projects, tokens and budgets in dictionaries."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from llmring_adapters.journal import Journal, JournaledDict
from llmring_core.accounts import DuplicateProject, Project
from llmring_core.gateway import (
    MOST_TOKENS,
    MOST_USD,
    Access,
    Budget,
    BudgetBook,
    BudgetUsedUp,
    Counters,
    GatewayBook,
    GatewayProject,
    Hold,
    InactiveToken,
    Limits,
    SealedKey,
    Taken,
    Token,
    TokenBook,
    TokenChange,
    Uses,
    changed,
    is_over,
    room,
)
from llmring_core.ids import HoldId, ProjectId, TokenId


class MemoryGatewayBook(GatewayBook):
    def __init__(self, journal: Journal, names: JournaledDict[ProjectId, Project]) -> None:
        self._projects = JournaledDict[ProjectId, GatewayProject](journal)
        self._keys = JournaledDict[tuple[ProjectId, str], SealedKey](journal)
        self._names = names

    async def add(self, project: GatewayProject) -> None:
        if project.id in self._projects:
            raise DuplicateProject(project.name)
        self._projects[project.id] = project

    async def change(self, project: GatewayProject) -> None:
        self._projects[project.id] = project

    async def find(self, project: ProjectId, *, locked: bool = False) -> GatewayProject | None:  # noqa: ARG002  a transaction has it alone
        found = self.kept(project)
        return None if found is None or found.deleted_at is not None else found

    async def all(self) -> list[GatewayProject]:
        found = [await self.find(id) for id in self._projects]
        return sorted(filter(None, found), key=lambda project: project.name)

    async def put_key(self, project: ProjectId, key: SealedKey) -> None:
        self._keys[project, key.provider] = key

    async def keys(self, project: ProjectId) -> list[SealedKey]:
        return [key for owner, key in await self.every_key() if owner == project]

    async def every_key(self, *, locked: bool = False) -> list[tuple[ProjectId, SealedKey]]:  # noqa: ARG002  so here
        return [(project, self._keys[project, name]) for project, name in sorted(self._keys)]

    def kept(self, project: ProjectId) -> GatewayProject | None:
        """Return the project, deleted or not, under the name it has now."""
        found = self._projects.get(project)
        return None if found is None else replace(found, name=self._names[project].name)


class Window(Struct, frozen=True, kw_only=True):
    began_at: datetime
    count: int


class MemoryTokenBook(TokenBook):
    def __init__(
        self, journal: Journal, projects: MemoryGatewayBook, budgets: "MemoryBudgetBook"
    ) -> None:
        self._tokens = JournaledDict[TokenId, Token](journal)
        self._windows = JournaledDict[TokenId, Window](journal)
        self._projects = projects
        self._budgets = budgets

    async def add(self, token: Token) -> None:
        self._tokens[token.id] = token

    async def access(self, digest: str) -> Access | None:
        token = next((token for token in self._tokens.values() if token.digest == digest), None)
        if token is None:
            return None
        project = self._projects.kept(token.project)
        assert project is not None  # noqa: S101  tokens are added to kept projects
        budgets = (await self._budgets.of([token.id, token.project])).values()
        return Access(
            token=token,
            project=project,
            is_budgeted=any(budget.limits != Limits() for budget in budgets),
            is_usd_limited=any(budget.limits.max_usd is not None for budget in budgets),
        )

    async def find(self, token: TokenId) -> Token | None:
        return self._tokens.get(token)

    async def newest(self, project: ProjectId | None, *, active_only: bool) -> list[Token]:
        found = [
            token
            for token in self._tokens.values()
            if project in (None, token.project) and (token.is_active or not active_only)
        ]
        return sorted(found, key=lambda token: (token.created_at, token.id), reverse=True)

    async def change(self, token: TokenId, change: TokenChange, at: datetime) -> Token | None:
        if token not in self._tokens:
            return None
        self._tokens[token] = changed(self._tokens[token], change, at)
        return self._tokens[token]

    async def revoke_all(self, project: ProjectId, at: datetime) -> int:
        open_ones = await self.newest(project, active_only=True)
        for token in open_ones:
            await self.change(token.id, TokenChange(is_active=False), at)
        return len(open_ones)

    async def take(self, token: TokenId, wanted: int, at: datetime) -> Taken:
        found, window = self._tokens.get(token), self._windows.get(token)
        if found is None:
            return Taken(granted=0, refusal=InactiveToken())
        counters = Counters(
            is_active=found.is_active,
            expires_at=found.expires_at,
            max_requests=found.max_requests,
            request_count=found.request_count,
            max_per_minute=found.max_per_minute,
            window_began_at=window.began_at if window else None,
            window_count=window.count if window else 0,
        )
        taken = room(counters, wanted, at)
        if taken.granted:
            if window is None or is_over(window.began_at, at):
                window = Window(began_at=at, count=0)
            self._windows[token] = replace(window, count=window.count + taken.granted)
            await self.count({token: Uses(count=taken.granted, last_at=at)})
        return taken

    async def count(self, uses: Mapping[TokenId, Uses]) -> None:
        for id, used in uses.items():
            if id in self._tokens:
                before = self._tokens[id]
                self._tokens[id] = replace(
                    before,
                    request_count=before.request_count + used.count,
                    cache_hit_count=before.cache_hit_count + used.hits,
                    last_used_at=used.last_at,
                )


class HeldOf(Struct, frozen=True, kw_only=True):
    hold: Hold
    scopes: tuple[str, ...]
    has_lapsed: bool


class MemoryBudgetBook(BudgetBook):
    def __init__(self, journal: Journal) -> None:
        self._budgets = JournaledDict[str, Budget](journal)
        self._holds = JournaledDict[HoldId, HeldOf](journal)

    async def limit(self, scope: TokenId | ProjectId, limits: Limits) -> None:
        nothing = Budget(
            limits=limits, spent_usd=Decimal(0), spent_tokens=0, held_usd=Decimal(0), held_tokens=0
        )
        self._budgets[scope] = replace(self._budgets.get(scope, nothing), limits=limits)

    async def of(self, scopes: Sequence[TokenId | ProjectId]) -> dict[str, Budget]:
        return {scope: self._budgets[scope] for scope in scopes if scope in self._budgets}

    async def hold(self, hold: Hold) -> None:
        scopes = tuple(scope for scope in (hold.token, hold.project) if scope in self._budgets)
        for scope in scopes:
            if not _has_room(self._budgets[scope], hold):
                raise BudgetUsedUp
            self._move(scope, (-hold.usd, -hold.tokens), (Decimal(0), 0))
        if scopes:
            self._holds[hold.id] = HeldOf(hold=hold, scopes=scopes, has_lapsed=False)

    async def settle(self, hold: HoldId, usd: Decimal, tokens: int) -> bool:
        if hold not in self._holds:
            return False
        found = self._holds[hold]
        del self._holds[hold]
        held = (Decimal(0), 0) if found.has_lapsed else (found.hold.usd, found.hold.tokens)
        for scope in found.scopes:
            self._move(scope, held, (usd, tokens))
        return True

    async def renew(self, holds: Sequence[HoldId], lapses_at: datetime) -> None:
        for id in holds:
            found = self._holds.get(id)
            if found is not None and not found.has_lapsed:
                self._holds[id] = replace(found, hold=replace(found.hold, lapses_at=lapses_at))

    async def lapse(self, at: datetime) -> int:
        due = [
            found
            for found in self._holds.values()
            if found.hold.lapses_at <= at and not found.has_lapsed
        ]
        for found in due:
            self._holds[found.hold.id] = replace(found, has_lapsed=True)
            for scope in found.scopes:
                self._move(scope, (found.hold.usd, found.hold.tokens), (Decimal(0), 0))
        return len(due)

    def _move(self, scope: str, held: tuple[Decimal, int], spent: tuple[Decimal, int]) -> None:
        before = self._budgets[scope]
        self._budgets[scope] = replace(
            before,
            held_usd=before.held_usd - held[0],
            held_tokens=before.held_tokens - held[1],
            spent_usd=min(before.spent_usd + spent[0], MOST_USD),
            spent_tokens=min(before.spent_tokens + spent[1], MOST_TOKENS),
        )


def _has_room(budget: Budget, hold: Hold) -> bool:
    most_usd, most_tokens = budget.limits.max_usd, budget.limits.max_tokens
    used_usd, used_tokens = (
        budget.spent_usd + budget.held_usd,
        budget.spent_tokens + budget.held_tokens,
    )
    if most_usd is None:
        fits = budget.held_usd + hold.usd <= MOST_USD
    else:
        fits = used_usd < most_usd and used_usd + hold.usd <= most_usd
    if most_tokens is None:
        return fits and budget.held_tokens + hold.tokens <= MOST_TOKENS
    return fits and used_tokens < most_tokens and used_tokens + hold.tokens <= most_tokens
