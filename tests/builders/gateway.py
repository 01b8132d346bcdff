"""Gateway projects, tokens and budgets, and the use cases over them."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from msgspec.structs import replace

from llmring_adapters.gateway.cached import stored_access
from llmring_adapters.gateway.journal import BufferedJournal, SharedLines
from llmring_adapters.gateway.tally import BufferedTally
from llmring_adapters.gateway.vault import LocalVault
from llmring_adapters.group_commit import GroupCommit
from llmring_adapters.transactions.all_work import AllWork
from llmring_core.clock import Clock
from llmring_core.gateway import (
    Admission,
    ChargeRequest,
    ChargeTogether,
    FindAccess,
    GatewayProject,
    Hold,
    Limits,
    RecogniseToken,
    SealedKey,
    Token,
    Vault,
)
from llmring_core.gateway.journal import StartedAttempt
from llmring_core.gateway.lost_attempts import RenewLeases, WriteDown
from llmring_core.gateway.projects import place_of
from llmring_core.gateway.tokens import digest_of, secret_of
from llmring_core.ids import HoldId, ProjectId, TokenId, UsageId
from llmring_core.transactions import Begin
from tests.builders.accounts import PROJECT
from tests.builders.auditing import EVENT, event
from tests.builders.kernel import NOON, P1

HOUR = timedelta(hours=1)
SECRET = secret_of(bytes(range(32)))
GATEWAY_PROJECT = GatewayProject(
    id=P1,
    name=PROJECT.name,
    is_active=True,
    deactivated_at=None,
    default_provider="openai",
    created_at=NOON,
    updated_at=NOON,
    deleted_at=None,
)
TOKEN = Token(
    id=TokenId("01990000-0000-7000-8000-000000000001"),
    project=P1,
    digest=digest_of(SECRET),
    shown="sk-AAEC**************Hx8f",
    created_at=NOON,
    expires_at=NOON + HOUR,
    is_active=True,
    deactivated_at=None,
    max_requests=None,
    max_per_minute=None,
    request_count=0,
    cache_hit_count=0,
    last_used_at=None,
)
ADMISSION = Admission(
    project=P1,
    token=TOKEN.id,
    default_provider="openai",
    expires_at=TOKEN.expires_at,
    is_limited=False,
    is_budgeted=True,
    is_usd_limited=True,
    fallbacks=(),
    issues_receipts=False,
)
HOLD = Hold(
    id=HoldId("01990000-0000-7000-8000-00000000000a"),
    project=P1,
    token=TOKEN.id,
    usd=Decimal("0.000000000001"),
    tokens=1,
    lapses_at=NOON + HOUR,
)
ATTEMPT = StartedAttempt(
    id=UsageId(HOLD.id),
    project=P1,
    token=TOKEN.id,
    provider="öpénai",
    endpoint="/v1/chat/completions",
    model="gpt-4o-mini №7 \U0001f600",
    request_id="req.1-2_3",
    started_at=NOON,
)
SEALED_KEY = SealedKey(provider="openai", key_id="enc_1", sealed=bytes(range(256)), shown="sk-...")


def token(number: int = 1, **changes: Any) -> Token:
    """Return the token of that number; another number, another id and digest."""
    id = TokenId(f"01990000-0000-7000-8000-{number:012x}")
    digest = TOKEN.digest if number == 1 else sha256(str(number).encode()).hexdigest()
    return replace(TOKEN, **({"id": id, "digest": digest} | changes))


def hold(number: int, **changes: Any) -> Hold:
    id = HoldId(f"01990000-0000-7000-8000-{number:012x}")
    return replace(HOLD, **({"id": id} | changes))


def attempt(number: int, **changes: Any) -> StartedAttempt:
    """Return the attempt of that number; the hold of that number is its."""
    return replace(ATTEMPT, **({"id": UsageId(hold(number).id)} | changes))


def journal(begin: Begin[AllWork], clock: Clock) -> BufferedJournal:
    """A journal of its own, as another process has."""
    return BufferedJournal(WriteDown(SharedLines(begin), clock), RenewLeases(begin, clock))


async def kept(begin: Begin[AllWork], *tokens: Token, **settings: Any) -> None:
    """Keep the usual project with these gateway settings, and its tokens."""
    async with begin() as work:
        await work.accounts.add_project(PROJECT)
        await work.gateway.add(replace(GATEWAY_PROJECT, **settings))
        for one in tokens:
            await work.tokens.add(one)


def charging(begin: Begin[AllWork], clock: Clock) -> ChargeRequest:
    return ChargeRequest(GroupCommit(ChargeTogether(begin, clock)), BufferedTally(begin), clock)


Admit = Callable[[str], Awaitable[Admission]]


def admitting(begin: Begin[AllWork], clock: Clock, find: FindAccess | None = None) -> Admit:
    """A way in of its own, as another process has."""
    recognise, charge = RecogniseToken(find or stored_access(begin), clock), charging(begin, clock)

    async def admit(secret: str) -> Admission:
        admission = await recognise(secret)
        await charge(admission)
        return admission

    return admit


def vault(*keys: bytes) -> LocalVault:
    found: Sequence[bytes] = keys or (bytes(32),)
    return LocalVault(lambda: found)


def sealed_key(vault: Vault, provider: str, clear: str, project: ProjectId = P1) -> SealedKey:
    """Return a key of a project as it is stored."""
    sealed = vault.seal(clear, place_of(project, provider))
    return SealedKey(provider=provider, key_id=sealed.key_id, sealed=sealed.box, shown="****")


async def add_gateway(work: AllWork) -> None:
    """Put something awkward of the usual project, which is kept, into every table."""
    await work.gateway.add(GATEWAY_PROJECT)
    await work.gateway.put_key(P1, SEALED_KEY)
    await work.tokens.add(token(2, is_active=False, deactivated_at=NOON, max_requests=2**53))
    await work.tokens.add(TOKEN)
    await work.tokens.take(TOKEN.id, 3, NOON)
    await work.budgets.limit(TOKEN.id, Limits(max_usd=HOLD.usd))
    await work.budgets.limit(P1, Limits(max_tokens=2**53 - 1))
    await work.budgets.hold(HOLD)
    await work.audit.append(EVENT)
    await work.audit.append(event(1))
    await work.attempts.add([ATTEMPT], NOON + HOUR)
