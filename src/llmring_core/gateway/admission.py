"""Letting calls in: who presents this token, may it, and is there enough left."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct

from llmring_core.clock import Clock
from llmring_core.gateway.errors import (
    ExpiredToken,
    InactiveProject,
    InactiveToken,
    MalformedToken,
    NoProviderKey,
    UnknownToken,
)
from llmring_core.gateway.limits import Taken
from llmring_core.gateway.ports import (
    FindAccess,
    FindKeys,
    GatewayWork,
    Sealed,
    Tally,
    Use,
    UseIntake,
    Vault,
)
from llmring_core.gateway.projects import place_of
from llmring_core.gateway.tokens import FORM, digest_of
from llmring_core.ids import ProjectId, TokenId
from llmring_core.transactions import Begin


class Admission(Struct, frozen=True, kw_only=True):
    """Whom a call belongs to, and what has to be asked before it goes on."""

    project: ProjectId
    token: TokenId
    default_provider: str
    expires_at: datetime  # UTC
    is_limited: bool  # whether its requests are counted one by one
    is_budgeted: bool  # whether HoldBudget has to be asked
    is_usd_limited: bool  # whether a budget of it is in dollars
    fallbacks: tuple[str, ...]  # the providers to be asked one after the other
    issues_receipts: bool


@dataclass(frozen=True, slots=True)
class RecogniseToken:
    """Turn a presented token into whom it stands for; nothing is counted.

    Enough for what never reaches a provider, such as an answer from a cache. It costs no round trip
    while the token is remembered, one read each second otherwise.
    """

    find: FindAccess
    clock: Clock

    async def __call__(self, secret: str) -> Admission:
        """Raises MalformedToken, UnknownToken, InactiveToken, ExpiredToken, InactiveProject."""
        if not FORM.fullmatch(secret):
            raise MalformedToken
        found = await self.find(digest_of(secret))
        if found is None:
            raise UnknownToken
        token, project = found.token, found.project
        if not token.is_active:
            raise InactiveToken
        if self.clock() >= token.expires_at:
            raise ExpiredToken
        if not project.is_active or project.deleted_at is not None:
            raise InactiveProject
        return Admission(
            project=project.id,
            token=token.id,
            default_provider=project.default_provider,
            expires_at=token.expires_at,
            is_limited=token.max_requests is not None or token.max_per_minute is not None,
            is_budgeted=found.is_budgeted,
            is_usd_limited=found.is_usd_limited,
            fallbacks=project.fallbacks,
            issues_receipts=project.issues_receipts,
        )


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """Count a request that goes to a provider.

    A limited token pays one statement in a transaction that it shares with all who wait for the
    same: exact, whoever else asks. Any other token costs nothing here; it is counted beside.
    """

    intake: UseIntake
    tally: Tally
    clock: Clock

    async def __call__(self, admission: Admission) -> None:
        """Raises InactiveToken, ExpiredToken, RequestsUsedUp, TooManyRequests, Overloaded,
        StoreUnavailable.
        """
        if not admission.is_limited:
            self.tally.add(admission.token, self.clock())
            return
        taken = await self.intake.take(Use(token=admission.token))
        if taken.refusal is not None:
            raise taken.refusal


@dataclass(frozen=True, slots=True)
class ChargeTogether:
    """Charge tokens for some requests, in one transaction."""

    begin: Begin[GatewayWork]
    clock: Clock

    async def __call__(self, uses: Sequence[Use]) -> list[Taken]:
        """Return for each whether it is granted. Raises StoreUnavailable."""
        wanted = Counter(use.token for use in uses)
        outcomes = defaultdict[TokenId, list[Taken]](list)
        async with self.begin() as work:
            for token in sorted(wanted):  # in one order everywhere, so no deadlocks
                taken = await work.tokens.take(token, wanted[token], self.clock())
                refused = [Taken(granted=0, refusal=taken.refusal)]
                outcomes[token] += refused * (wanted[token] - taken.granted)
                outcomes[token] += [Taken(granted=1, refusal=None)] * taken.granted
        return [outcomes[use.token].pop() for use in uses]  # who came first is granted first


@dataclass(frozen=True, slots=True)
class OpenProviderKey:
    """Read the key that a project's calls to a provider carry. Nobody else is to see it."""

    find_keys: FindKeys
    vault: Vault

    async def __call__(self, project: ProjectId, provider: str) -> str:
        """Raises NoProviderKey, CannotUnseal, StoreUnavailable."""
        for key in await self.find_keys(project):
            if key.provider == provider:
                sealed = Sealed(key_id=key.key_id, box=key.sealed)
                return self.vault.unseal(sealed, place_of(project, provider))
        raise NoProviderKey(provider)
