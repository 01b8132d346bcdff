"""What every TokenBook promises, on every backend."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from llmring_adapters.transactions.all_work import AllWork
from llmring_core.gateway import (
    Access,
    ExpiredToken,
    InactiveToken,
    Limits,
    RequestsUsedUp,
    Taken,
    TokenChange,
    TooManyRequests,
    Uses,
)
from llmring_core.ids import TokenId
from llmring_core.transactions import Begin
from tests.builders.accounts import project
from tests.builders.gateway import GATEWAY_PROJECT, HOUR, TOKEN, kept, token
from tests.builders.kernel import MICROSECOND, NOON, P1, P2

MINUTE = timedelta(minutes=1)


async def take(begin: Begin[AllWork], wanted: int = 1, at: timedelta = timedelta(0)) -> Taken:
    async with begin() as work:
        return await work.tokens.take(TOKEN.id, wanted, NOON + at)


async def found(begin: Begin[AllWork]) -> int:
    async with begin() as work:
        one = await work.tokens.find(TOKEN.id)
    assert one is not None
    return one.request_count


class TestReading:
    async def test_finds_a_token_and_its_project_by_its_digest(self, begin: Begin[AllWork]) -> None:
        full = replace(
            TOKEN,
            max_requests=2**53 - 1,
            max_per_minute=7,
            request_count=3,
            cache_hit_count=2,
            last_used_at=NOON,
            is_active=False,
            deactivated_at=NOON + HOUR,
        )
        await kept(begin, full)
        async with begin() as work:
            access = Access(
                token=full, project=GATEWAY_PROJECT, is_budgeted=False, is_usd_limited=False
            )
            assert await work.tokens.access(TOKEN.digest) == access
            assert await work.tokens.find(TOKEN.id) == full
            for other in ("", TOKEN.digest.upper(), token(2).digest):
                assert await work.tokens.access(other) is None
            assert await work.tokens.find(TokenId("nobody's")) is None

    @pytest.mark.parametrize("scope", [TOKEN.id, P1])
    async def test_tells_whether_anything_is_budgeted(
        self, begin: Begin[AllWork], scope: TokenId
    ) -> None:
        await kept(begin, TOKEN)
        for limits in (Limits(max_tokens=1), Limits()):
            async with begin() as work:
                await work.budgets.limit(scope, limits)
            async with begin() as work:
                access = await work.tokens.access(TOKEN.digest)
            assert access is not None
            assert access.is_budgeted is (limits != Limits())
            assert access.is_usd_limited is (limits.max_usd is not None)

    async def test_a_deleted_projects_token_is_found_with_it(self, begin: Begin[AllWork]) -> None:
        await kept(begin, TOKEN, deleted_at=NOON)
        async with begin() as work:
            access = await work.tokens.access(TOKEN.digest)
        assert access is not None and access.project.deleted_at == NOON

    async def test_lists_newest_first(self, begin: Begin[AllWork]) -> None:
        newer = token(2, created_at=NOON + MICROSECOND)
        closed = token(3, is_active=False, deactivated_at=NOON)
        await kept(begin, newer, closed, TOKEN)
        theirs = token(4, project=P2)
        async with begin() as work:
            await work.accounts.add_project(project(id=P2, name="other"))
            await work.gateway.add(replace(GATEWAY_PROJECT, id=P2, name="other"))
            await work.tokens.add(theirs)
        async with begin() as work:
            assert await work.tokens.newest(P1, active_only=False) == [newer, closed, TOKEN]
            assert await work.tokens.newest(P1, active_only=True) == [newer, TOKEN]
            assert len(await work.tokens.newest(None, active_only=False)) == 4


class TestChanging:
    async def test_a_change_leaves_the_counts_alone(self, begin: Begin[AllWork]) -> None:
        await kept(begin, TOKEN)
        await take(begin, 3)
        async with begin() as work:
            change = TokenChange(max_requests=5, max_per_minute=9)
            after = await work.tokens.change(TOKEN.id, change, NOON)
        async with begin() as work:
            assert await work.tokens.find(TOKEN.id) == after
        assert after is not None
        assert (after.max_requests, after.max_per_minute, after.request_count) == (5, 9, 3)

    async def test_a_closed_token_keeps_the_time_of_its_first_closing(
        self, begin: Begin[AllWork]
    ) -> None:
        closed = replace(TOKEN, is_active=False, deactivated_at=NOON)
        await kept(begin, TOKEN)
        for at in (NOON, NOON + HOUR):
            async with begin() as work:
                change = TokenChange(is_active=False)
                assert await work.tokens.change(TOKEN.id, change, at) == closed
        async with begin() as work:
            assert await work.tokens.change(TOKEN.id, TokenChange(is_active=True), NOON) == TOKEN

    async def test_a_token_nobody_has_is_not_changed(self, begin: Begin[AllWork]) -> None:
        async with begin() as work:
            change = TokenChange(is_active=False)
            assert await work.tokens.change(TOKEN.id, change, NOON) is None

    async def test_revokes_all_of_a_project_once(self, begin: Begin[AllWork]) -> None:
        closed = token(3, is_active=False, deactivated_at=NOON - HOUR)
        await kept(begin, TOKEN, token(2), closed)
        for count in (2, 0):
            async with begin() as work:
                assert await work.tokens.revoke_all(P1, NOON) == count
        async with begin() as work:
            assert await work.tokens.newest(P1, active_only=True) == []
            assert await work.tokens.find(closed.id) == closed
            first = await work.tokens.find(TOKEN.id)
        assert first is not None and first.deactivated_at == NOON


class TestTaking:
    async def test_grants_as_many_as_there_are(self, begin: Begin[AllWork]) -> None:
        await kept(begin, token(max_requests=5))
        granted = [await take(begin, wanted) for wanted in (3, 3, 1)]
        assert [taken.granted for taken in granted] == [3, 2, 0]
        assert granted[0].refusal is None
        assert isinstance(granted[1].refusal, RequestsUsedUp)
        assert isinstance(granted[2].refusal, RequestsUsedUp)
        assert await found(begin) == 5

    async def test_a_minute_begins_with_its_first_request(self, begin: Begin[AllWork]) -> None:
        await kept(begin, token(max_per_minute=2))
        first, second, third = [
            await take(begin, at=at) for at in (timedelta(0), MINUTE / 2, MINUTE - MICROSECOND)
        ]
        assert (first.granted, second.granted, third.granted) == (1, 1, 0)
        assert isinstance(third.refusal, TooManyRequests) and third.refusal.retry_after_s == 1
        again = await take(begin, 3, MINUTE)
        assert again.granted == 2
        assert isinstance(again.refusal, TooManyRequests) and again.refusal.retry_after_s == 60

    async def test_a_clock_set_back_stops_nobody(self, begin: Begin[AllWork]) -> None:
        await kept(begin, token(max_per_minute=1, expires_at=NOON + 9 * HOUR))
        assert (await take(begin, at=HOUR)).granted == 1
        assert (await take(begin)).granted == 1
        assert (await take(begin)).granted == 0

    async def test_refuses_what_is_closed_or_over(self, begin: Begin[AllWork]) -> None:
        await kept(begin, TOKEN)
        assert (await take(begin, at=HOUR - MICROSECOND)).granted == 1
        assert isinstance((await take(begin, at=HOUR)).refusal, ExpiredToken)
        async with begin() as work:
            await work.tokens.revoke_all(P1, NOON)
        assert isinstance((await take(begin)).refusal, InactiveToken)
        assert await found(begin) == 1

    async def test_refuses_a_token_nobody_has(self, begin: Begin[AllWork]) -> None:
        taken = await take(begin)
        assert taken.granted == 0 and isinstance(taken.refusal, InactiveToken)

    async def test_says_when_it_was_used_last(self, begin: Begin[AllWork]) -> None:
        await kept(begin, TOKEN, token(2))
        await take(begin, at=MINUTE)
        async with begin() as work:
            await work.tokens.count({token(2).id: Uses(count=7, last_at=NOON + HOUR, hits=3)})
        async with begin() as work:
            one, two = await work.tokens.find(TOKEN.id), await work.tokens.find(token(2).id)
        assert one is not None and (one.request_count, one.last_used_at) == (1, NOON + MINUTE)
        assert two is not None and (two.request_count, two.last_used_at) == (7, NOON + HOUR)
        assert (one.cache_hit_count, two.cache_hit_count) == (0, 3)

    async def test_what_is_counted_besides_is_counted_whoever_it_is_of(
        self, begin: Begin[AllWork]
    ) -> None:
        async with begin() as work:
            await work.tokens.count({TOKEN.id: Uses(count=1, last_at=NOON)})
            assert await work.tokens.find(TOKEN.id) is None
