"""What the gateway's access side needs from the outside."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from msgspec import Struct

from llmring_core.accounts import AccountsWork
from llmring_core.gateway.auditing import AuditWork
from llmring_core.gateway.limits import Budget, Hold, Limits, Taken
from llmring_core.gateway.projects import GatewayProject, SealedKey
from llmring_core.gateway.tokens import Token, TokenChange
from llmring_core.ids import HoldId, ProjectId, TokenId


class Access(Struct, frozen=True, kw_only=True):
    """All that is asked of the store to let a call in, read at once."""

    token: Token
    project: GatewayProject
    is_budgeted: bool  # whether the token or the project has a budget
    is_usd_limited: bool  # whether one of them is in dollars


# Find a token by its digest, at most a second out of date; None when nobody has it.
FindAccess = Callable[[str], Awaitable[Access | None]]

# Find a project's sealed provider keys, at most a second out of date.
FindKeys = Callable[[ProjectId], Awaitable[Sequence[SealedKey]]]


class GatewayBook(Protocol):
    """Projects' gateway settings. They are marked as deleted, never taken away."""

    async def add(self, project: GatewayProject) -> None:
        """Keep the settings of a project that the accounts have.

        Raises DuplicateProject when it has some, deleted or not.
        """

    async def change(self, project: GatewayProject) -> None:
        """Keep the settings in place of those before. The name is the accounts' to change."""

    async def find(self, project: ProjectId, *, locked: bool = False) -> GatewayProject | None:
        """Return the project unless it is deleted; ``locked``: nobody changes it meanwhile."""

    async def all(self) -> list[GatewayProject]:
        """Return every project that is not deleted, by name."""

    async def put_key(self, project: ProjectId, key: SealedKey) -> None:
        """Keep a provider's key in place of the one before."""

    async def keys(self, project: ProjectId) -> list[SealedKey]:
        """Return the project's keys, by provider."""

    async def every_key(self, *, locked: bool = False) -> list[tuple[ProjectId, SealedKey]]:
        """Return every project's keys, by project and provider; ``locked``: nobody changes them."""


class Uses(Struct, frozen=True, kw_only=True):
    """How often a token was used, beside what it is charged for."""

    count: int  # of requests that went to a provider
    last_at: datetime  # UTC, of those and of the others
    hits: int = 0  # requests that the cache answered


class TokenBook(Protocol):
    """Withering tokens. They are revoked, never deleted; no count ever goes back."""

    async def add(self, token: Token) -> None:
        """Keep ``token``, whose project is kept."""

    async def access(self, digest: str) -> Access | None:
        """Return the token with this SHA-256, whatever its state, and what goes with it."""

    async def find(self, token: TokenId) -> Token | None:
        """Return the token with this id."""

    async def newest(self, project: ProjectId | None, *, active_only: bool) -> list[Token]:
        """Return the project's tokens, or everybody's, newest first."""

    async def change(self, token: TokenId, change: TokenChange, at: datetime) -> Token | None:
        """Change what ``change`` has set, besides the budget, and return the token."""

    async def revoke_all(self, project: ProjectId, at: datetime) -> int:
        """Revoke the project's tokens at ``at`` (UTC), and return how many were not before."""

    async def take(self, token: TokenId, wanted: int, at: datetime) -> Taken:
        """Count up to ``wanted`` requests of the token at ``at`` (UTC), as many as it may make.

        However many ask at once, here and in other processes, no more are granted than there are.
        """

    async def count(self, uses: Mapping[TokenId, Uses]) -> None:
        """Add to what is counted of tokens, without any limit."""


class BudgetBook(Protocol):
    """What tokens and projects may use up, have used up, and hold for calls under way.

    A scope is the id of either. Where a scope has no budget, nothing is counted.
    """

    async def limit(self, scope: TokenId | ProjectId, limits: Limits) -> None:
        """Give the scope these limits in place of those before; what is spent stays."""

    async def of(self, scopes: Sequence[TokenId | ProjectId]) -> dict[str, Budget]:
        """Return the budgets that these have."""

    async def hold(self, hold: Hold) -> None:
        """Set aside what a call may come to, of its token's and its project's budget.

        However many ask at once, no more is set aside than there is. Raises BudgetUsedUp.
        """

    async def settle(self, hold: HoldId, usd: Decimal, tokens: int) -> bool:
        """Count what a call came to, and let go of what was held for it, lapsed or not.

        Returns False when that was done before: nothing changes then.
        """

    async def renew(self, holds: Sequence[HoldId], lapses_at: datetime) -> None:
        """Hold those of ``holds`` that have not lapsed until ``lapses_at`` (UTC)."""

    async def lapse(self, at: datetime) -> int:
        """Let go of what was held until ``at`` (UTC) or earlier, and return how many holds."""


class GatewayWork(AccountsWork, AuditWork, Protocol):
    """The stores one transaction of the gateway may touch."""

    @property
    def gateway(self) -> GatewayBook: ...

    @property
    def tokens(self) -> TokenBook: ...

    @property
    def budgets(self) -> BudgetBook: ...


class Sealed(Struct, frozen=True, kw_only=True):
    """A secret, encrypted."""

    key_id: str
    box: bytes


class Vault(Protocol):
    """Encrypts secrets for the store. What is bound to one place does not open at another."""

    def seal(self, secret: str, place: str) -> Sealed:
        """Encrypt ``secret`` with the key in force."""

    def unseal(self, sealed: Sealed, place: str) -> str:
        """Return what was sealed for ``place``, with this key or an earlier one.

        Raises CannotUnseal.
        """


class Use(Struct, frozen=True, kw_only=True):
    """One request that a token is to be charged for."""

    token: TokenId

    @property
    def names(self) -> tuple[()]:
        """Nothing: no two requests are the same one."""
        return ()


class UseIntake(Protocol):
    """Charges tokens for requests. Requests that come together may be charged together."""

    async def take(self, entry: Use) -> Taken:
        """Charge one request; granted when that is committed. Raises Overloaded,
        StoreUnavailable.
        """


class Tally(Protocol):
    """Counts what no limit depends on, beside the call; a crash may lose the last second's."""

    def add(self, token: TokenId, at: datetime) -> None:
        """Count one use at ``at`` (UTC) of a token without limits."""

    def add_hit(self, token: TokenId, at: datetime) -> None:
        """Count one answer that the cache gave at ``at`` (UTC), whatever the token's limits."""
