"""What operators do with withering tokens. Writes first, reads after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from msgspec import Struct

from llmring_core.clock import Clock
from llmring_core.gateway.errors import (
    GatewayProjectNotFound,
    NoTokensForInactive,
    TokenNotFound,
)
from llmring_core.gateway.holding import relimit
from llmring_core.gateway.limits import Limits
from llmring_core.gateway.ports import GatewayWork
from llmring_core.gateway.tokens import (
    IssuedToken,
    ManagedToken,
    Token,
    TokenChange,
    TokenToCreate,
    digest_of,
    secret_of,
    shown,
)
from llmring_core.ids import NewId, NewSecret, ProjectId, TokenId
from llmring_core.transactions import Begin


class Revocation(Struct, frozen=True, kw_only=True):
    """What became of a project's tokens."""

    revoked: int
    revoked_before: int


@dataclass(frozen=True, slots=True)
class CreateToken:
    """Make a token for a project that is in use."""

    begin: Begin[GatewayWork]
    clock: Clock
    new_id: NewId
    new_secret: NewSecret

    async def __call__(self, wanted: TokenToCreate) -> IssuedToken:
        """Raises GatewayProjectNotFound, NoTokensForInactive."""
        now, secret = self.clock(), secret_of(self.new_secret())
        token = Token(
            id=TokenId(self.new_id()),
            project=wanted.project,
            digest=digest_of(secret),
            shown=shown(secret),
            created_at=now,
            expires_at=now + timedelta(minutes=wanted.minutes),
            is_active=True,
            deactivated_at=None,
            max_requests=wanted.max_requests or None,
            max_per_minute=wanted.max_per_minute or None,
            request_count=0,
            cache_hit_count=0,
            last_used_at=None,
        )
        async with self.begin() as work:
            project = await work.gateway.find(wanted.project, locked=True)
            if project is None:
                raise GatewayProjectNotFound
            if not project.is_active:
                raise NoTokensForInactive
            await work.tokens.add(token)
            if wanted.limits != Limits():
                await work.budgets.limit(token.id, wanted.limits)
        return IssuedToken(token=token, secret=secret)


@dataclass(frozen=True, slots=True)
class ChangeToken:
    """Change a token's limits, or whether it may be used; its counts go on."""

    begin: Begin[GatewayWork]
    clock: Clock

    async def __call__(self, id: TokenId, change: TokenChange) -> ManagedToken:
        """Raises TokenNotFound."""
        async with self.begin() as work:
            token = await work.tokens.change(id, change, self.clock())
            if token is None:
                raise TokenNotFound
            await relimit(work, id, change.limits)
            return await _managed(work, token)


@dataclass(frozen=True, slots=True)
class RevokeToken:
    """Close a token; everywhere within a second. To do it again changes nothing."""

    begin: Begin[GatewayWork]
    clock: Clock

    async def __call__(self, id: TokenId) -> None:
        """Raises TokenNotFound."""
        async with self.begin() as work:
            change = TokenChange(is_active=False)
            if await work.tokens.change(id, change, self.clock()) is None:
                raise TokenNotFound


@dataclass(frozen=True, slots=True)
class RevokeTokens:
    """Close every token of a project."""

    begin: Begin[GatewayWork]
    clock: Clock

    async def __call__(self, project: ProjectId) -> Revocation:
        """Raises GatewayProjectNotFound."""
        async with self.begin() as work:
            if await work.gateway.find(project, locked=True) is None:
                raise GatewayProjectNotFound
            total = len(await work.tokens.newest(project, active_only=False))
            revoked = await work.tokens.revoke_all(project, self.clock())
        return Revocation(revoked=revoked, revoked_before=total - revoked)


@dataclass(frozen=True, slots=True)
class FindToken:
    """Read one token."""

    begin: Begin[GatewayWork]

    async def __call__(self, id: TokenId) -> ManagedToken:
        """Raises TokenNotFound."""
        async with self.begin() as work:
            token = await work.tokens.find(id)
            if token is None:
                raise TokenNotFound
            return await _managed(work, token)


@dataclass(frozen=True, slots=True)
class ListTokens:
    """Read a project's tokens, or everybody's, newest first."""

    begin: Begin[GatewayWork]

    async def __call__(
        self, project: ProjectId | None, *, active_only: bool
    ) -> Sequence[ManagedToken]:
        async with self.begin() as work:
            tokens = await work.tokens.newest(project, active_only=active_only)
            budgets = await work.budgets.of([token.id for token in tokens])
        return [ManagedToken(token=token, budget=budgets.get(token.id)) for token in tokens]


async def _managed(work: GatewayWork, token: Token) -> ManagedToken:
    return ManagedToken(token=token, budget=(await work.budgets.of([token.id])).get(token.id))
