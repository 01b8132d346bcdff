"""What operators do with withering tokens. Writes first, reads after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from msgspec import UNSET, Struct
from msgspec.structs import asdict

from llmring_core.clock import Clock
from llmring_core.gateway.auditing import Action, Deed, Origin, Record, RecordAlone
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
from llmring_core.money import plain
from llmring_core.transactions import Begin


class Revocation(Struct, frozen=True, kw_only=True):
    """What became of a project's tokens."""

    revoked: int
    revoked_before: int


@dataclass(frozen=True, slots=True)
class CreateToken:
    """Make a token for a project that is in use."""

    begin: Begin[GatewayWork]
    record: Record
    clock: Clock
    new_id: NewId
    new_secret: NewSecret

    async def __call__(self, wanted: TokenToCreate, origin: Origin) -> IssuedToken:
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
            details = {
                "duration_minutes": wanted.minutes,
                "expires_at": token.expires_at,
                "max_requests": _shown_limit(token.max_requests),
            }
            await self.record(work, _deed("token.create", token, details), origin)
        return IssuedToken(token=token, secret=secret)


@dataclass(frozen=True, slots=True)
class ChangeToken:
    """Change a token's limits, or whether it may be used; its counts go on."""

    begin: Begin[GatewayWork]
    record: Record
    clock: Clock

    async def __call__(self, id: TokenId, change: TokenChange, origin: Origin) -> ManagedToken:
        """Raises TokenNotFound."""
        async with self.begin() as work:
            token = await work.tokens.change(id, change, self.clock())
            if token is None:
                raise TokenNotFound
            await relimit(work, id, change.limits)
            await self.record(work, _deed("token.update", token, _account(change)), origin)
            return await _managed(work, token)


@dataclass(frozen=True, slots=True)
class RevokeToken:
    """Close a token; everywhere within a second. To do it again changes nothing."""

    begin: Begin[GatewayWork]
    record: Record
    clock: Clock

    async def __call__(self, id: TokenId, origin: Origin) -> None:
        """Raises TokenNotFound."""
        now = self.clock()
        async with self.begin() as work:
            token = await work.tokens.change(id, TokenChange(is_active=False), now)
            if token is None:
                raise TokenNotFound
            details = {"already_revoked": token.deactivated_at != now}
            await self.record(work, _deed("token.revoke", token, details), origin)


@dataclass(frozen=True, slots=True)
class RevokeTokens:
    """Close every token of a project."""

    begin: Begin[GatewayWork]
    record: Record
    clock: Clock

    async def __call__(self, project: ProjectId, origin: Origin) -> Revocation:
        """Raises GatewayProjectNotFound."""
        async with self.begin() as work:
            if await work.gateway.find(project, locked=True) is None:
                raise GatewayProjectNotFound
            total = len(await work.tokens.newest(project, active_only=False))
            revoked = await work.tokens.revoke_all(project, self.clock())
            details = {
                "total_tokens": total,
                "revoked_count": revoked,
                "already_revoked_count": total - revoked,
                "failed_count": 0,
            }
            deed = Deed(action="token.revoke_batch", project=project, details=details)
            await self.record(work, deed, origin)
        return Revocation(revoked=revoked, revoked_before=total - revoked)


@dataclass(frozen=True, slots=True)
class FindToken:
    """Read one token."""

    begin: Begin[GatewayWork]
    record: RecordAlone

    async def __call__(self, id: TokenId, origin: Origin) -> ManagedToken:
        """Raises TokenNotFound."""
        async with self.begin() as work:
            token = await work.tokens.find(id)
            if token is None:
                raise TokenNotFound
            found = await _managed(work, token)
        await self.record(_deed("token.read", token, {}), origin)
        return found


@dataclass(frozen=True, slots=True)
class ListTokens:
    """Read a project's tokens, or everybody's, newest first."""

    begin: Begin[GatewayWork]
    record: RecordAlone

    async def __call__(
        self, project: ProjectId | None, origin: Origin, *, active_only: bool
    ) -> Sequence[ManagedToken]:
        async with self.begin() as work:
            tokens = await work.tokens.newest(project, active_only=active_only)
            budgets = await work.budgets.of([token.id for token in tokens])
        details = {"token_count": len(tokens), "filtered_by_project": project is not None}
        await self.record(Deed(action="token.list", project=project, details=details), origin)
        return [ManagedToken(token=token, budget=budgets.get(token.id)) for token in tokens]


async def _managed(work: GatewayWork, token: Token) -> ManagedToken:
    return ManagedToken(token=token, budget=(await work.budgets.of([token.id])).get(token.id))


def _deed(action: Action, token: Token, details: Mapping[str, object]) -> Deed:
    about = {"token_id": token.id} | dict(details)
    return Deed(action=action, project=token.project, token=token.id, details=about)


def _account(change: TokenChange) -> dict[str, object]:
    """Return what the audit log says of a change."""
    fields = asdict(change) | asdict(change.limits)
    del fields["limits"]
    found = {f"updated_{name}": value for name, value in fields.items() if value is not UNSET}
    if change.max_requests is not UNSET:
        found["updated_max_requests"] = _shown_limit(change.max_requests)
    if isinstance(change.limits.max_usd, Decimal):
        found["updated_max_usd"] = plain(change.limits.max_usd)
    return found


def _shown_limit(limit: int | None) -> int | str:
    return limit or "unlimited"
