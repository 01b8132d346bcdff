"""Who is let in: every refusal, in its order, and how soon a change is in force."""

from dataclasses import replace as replace_in
from datetime import timedelta

import pytest
from msgspec.structs import replace

from llmring_adapters.gateway.cached import cached_access, cached_provider_keys
from llmring_adapters.gateway.tally import BufferedTally
from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.transactions.memory import memory_transactions
from llmring_core.errors import LLMRingError, StoreUnavailable
from llmring_core.gateway import (
    Access,
    Admission,
    ExpiredToken,
    InactiveProject,
    InactiveToken,
    Limits,
    MalformedToken,
    NoProviderKey,
    OpenProviderKey,
    ProjectChange,
    RecogniseToken,
    UnknownToken,
)
from llmring_core.gateway.manage_projects import ChangeProject
from llmring_core.gateway.manage_tokens import RevokeToken
from llmring_core.transactions import Begin
from tests.builders.auditing import ORIGIN, recording
from tests.builders.gateway import (
    HOUR,
    SECRET,
    TOKEN,
    admitting,
    charging,
    kept,
    sealed_key,
    token,
    vault,
)
from tests.builders.kernel import MICROSECOND, NOON, P1, FakeClock

SECOND = timedelta(seconds=1)


@pytest.fixture
def begin() -> Begin[AllWork]:
    return memory_transactions()


async def refusal(begin: Begin[AllWork], secret: str, clock: FakeClock) -> LLMRingError:
    with pytest.raises(LLMRingError) as refused:
        await admitting(begin, clock)(secret)
    return refused.value


class TestRecognition:
    async def test_says_all_that_has_to_be_asked_next(self, begin: Begin[AllWork]) -> None:
        await kept(begin, token(max_requests=9), default_provider="anthropic")
        async with begin() as work:
            await work.budgets.limit(P1, Limits(max_tokens=1))
        assert await admitting(begin, FakeClock())(SECRET) == Admission(
            project=P1,
            token=TOKEN.id,
            default_provider="anthropic",
            expires_at=NOON + HOUR,
            is_limited=True,
            is_budgeted=True,
            is_usd_limited=False,
            fallbacks=(),
            issues_receipts=False,
        )

    @pytest.mark.parametrize(
        "secret",
        ["", "sk-", SECRET[:-1], f"{SECRET}x", SECRET.upper(), f"{SECRET[:-1]}é", f"{SECRET}\n"],
    )
    async def test_asks_nobody_about_what_is_no_token(
        self, begin: Begin[AllWork], secret: str
    ) -> None:
        async def nobody(_: str) -> Access | None:
            raise AssertionError

        with pytest.raises(MalformedToken):
            await admitting(begin, FakeClock(), nobody)(secret)

    @pytest.mark.parametrize("secret", [f"sk-{'0' * 22}", f"sk-{'0' * 43}", f"sk-{'%' * 22}"])
    async def test_refuses_tokens_nobody_has(self, begin: Begin[AllWork], secret: str) -> None:
        await kept(begin, TOKEN)
        refused = await refusal(begin, secret, FakeClock())
        assert isinstance(refused, MalformedToken if "%" in secret else UnknownToken)
        assert isinstance(await refusal(begin, TOKEN.digest, FakeClock()), MalformedToken)

    async def test_refuses_what_was_revoked_before_what_is_over(
        self, begin: Begin[AllWork]
    ) -> None:
        await kept(begin, token(is_active=False), is_active=False)
        clock = FakeClock(NOON + HOUR)
        assert isinstance(await refusal(begin, SECRET, clock), InactiveToken)

    async def test_a_token_is_over_at_the_instant_it_expires(self, begin: Begin[AllWork]) -> None:
        await kept(begin, TOKEN)
        clock = FakeClock(NOON + HOUR - MICROSECOND)
        await admitting(begin, clock)(SECRET)
        clock.pass_by(MICROSECOND)
        assert isinstance(await refusal(begin, SECRET, clock), ExpiredToken)

    @pytest.mark.parametrize("state", [{"is_active": False}, {"deleted_at": NOON}])
    async def test_refuses_what_is_of_a_closed_project_and_counts_nothing(
        self, begin: Begin[AllWork], state: dict[str, object]
    ) -> None:
        await kept(begin, token(max_requests=1), **state)
        assert isinstance(await refusal(begin, SECRET, FakeClock()), InactiveProject)
        async with begin() as work:
            assert await work.tokens.find(TOKEN.id) == token(max_requests=1)


class TestRemembering:
    async def test_what_is_revoked_is_refused_a_second_later(self, begin: Begin[AllWork]) -> None:
        await kept(begin, TOKEN)
        clock = FakeClock()
        recognise = RecogniseToken(cached_access(begin, time_s=clock.seconds), clock)
        await recognise(SECRET)
        await RevokeToken(begin, recording(clock), clock)(TOKEN.id, ORIGIN)
        clock.pass_by(SECOND - MICROSECOND)
        await recognise(SECRET)
        clock.pass_by(MICROSECOND)
        with pytest.raises(InactiveToken):
            await recognise(SECRET)

    async def test_so_is_what_is_of_a_project_switched_off(self, begin: Begin[AllWork]) -> None:
        await kept(begin, TOKEN)
        clock = FakeClock()
        recognise = RecogniseToken(cached_access(begin, time_s=clock.seconds), clock)
        await recognise(SECRET)
        change = ChangeProject(begin, vault(), recording(clock), clock)
        await change(P1, ProjectChange(is_active=False), ORIGIN)
        clock.pass_by(SECOND)
        with pytest.raises(InactiveProject):
            await recognise(SECRET)

    async def test_a_limited_token_stops_at_once_all_the_same(self, begin: Begin[AllWork]) -> None:
        await kept(begin, token(max_requests=9))
        clock = FakeClock()
        admit = admitting(begin, clock, cached_access(begin, time_s=clock.seconds))
        await admit(SECRET)
        await RevokeToken(begin, recording(clock), clock)(TOKEN.id, ORIGIN)
        with pytest.raises(InactiveToken):
            await admit(SECRET)


class TestProviderKeys:
    async def test_open_for_their_project_alone(self, begin: Begin[AllWork]) -> None:
        clock, keys = FakeClock(), vault()
        await kept(begin)
        async with begin() as work:
            await work.gateway.put_key(P1, sealed_key(keys, "openai", "sk-1"))
        find = cached_provider_keys(begin, time_s=clock.seconds)
        assert await OpenProviderKey(find, keys)(P1, "openai") == "sk-1"
        with pytest.raises(NoProviderKey):
            await OpenProviderKey(find, keys)(P1, "anthropic")

    async def test_are_seen_at_once_when_new_and_a_second_later_when_changed(
        self, begin: Begin[AllWork]
    ) -> None:
        clock, keys = FakeClock(), vault()
        await kept(begin)
        open_key = OpenProviderKey(cached_provider_keys(begin, time_s=clock.seconds), keys)
        with pytest.raises(NoProviderKey):
            await open_key(P1, "openai")
        change = ChangeProject(begin, keys, recording(clock), clock)
        await change(P1, ProjectChange(key="sk-1"), ORIGIN)
        assert await open_key(P1, "openai") == "sk-1"
        await change(P1, ProjectChange(key="sk-2"), ORIGIN)
        clock.pass_by(SECOND)
        assert await open_key(P1, "openai") == "sk-2"


class TestTally:
    async def test_counts_unlimited_tokens_when_it_is_flushed(self, begin: Begin[AllWork]) -> None:
        await kept(begin, TOKEN)
        clock, tally = FakeClock(), BufferedTally(begin)
        charge = replace_in(charging(begin, clock), tally=tally)
        admission = await admitting(begin, clock)(SECRET)
        for _ in range(3):
            clock.pass_by(SECOND)
            await charge(admission)
        for _ in range(2):
            await tally.flush()
        async with begin() as work:
            after = replace(TOKEN, request_count=3, last_used_at=NOON + 3 * SECOND)
            assert await work.tokens.find(TOKEN.id) == after

    async def test_keeps_what_could_not_be_written_down(self, begin: Begin[AllWork]) -> None:
        await kept(begin, TOKEN)
        is_away = True

        def sometimes() -> object:
            if is_away:
                raise StoreUnavailable
            return begin()

        tally = BufferedTally(sometimes)  # type: ignore[arg-type]
        tally.add(TOKEN.id, NOON)
        with pytest.raises(StoreUnavailable):
            await tally.flush()
        tally.add(TOKEN.id, NOON - SECOND)
        is_away = False
        await tally.flush()
        async with begin() as work:
            after = replace(TOKEN, request_count=2, last_used_at=NOON)
            assert await work.tokens.find(TOKEN.id) == after
