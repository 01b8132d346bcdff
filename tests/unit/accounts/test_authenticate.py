"""Who is calling: in open mode and in keys mode, right after a revocation, from a cache."""

from datetime import timedelta

import pytest

from llmring_adapters import remembering
from llmring_adapters.accounts.cached import cached_keys, stored_keys
from llmring_adapters.system import random_secret
from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.transactions.memory import memory_transactions
from llmring_core.accounts import (
    ApiKey,
    Authenticate,
    CreateApiKey,
    FindApiKey,
    InvalidApiKey,
    IssuedKey,
    RevokeApiKey,
    digest_of,
)
from llmring_core.transactions import Begin
from tests.builders.kernel import MICROSECOND, NOON, FakeClock, ids

STRANGER = "llmr_pk_" + "0123456789abcdef" * 2
SECOND = timedelta(seconds=1)


@pytest.fixture
def begin() -> Begin[AllWork]:
    return memory_transactions()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def issued(begin: Begin[AllWork], clock: FakeClock) -> IssuedKey:
    return await CreateApiKey(begin, clock, ids(1), random_secret)("p")


def authenticate(begin: Begin[AllWork], clock: FakeClock, mode: str) -> Authenticate:
    find = cached_keys(begin, time_s=clock.seconds)
    return Authenticate(begin, find, clock, ids(2), welcome_strangers=mode == "open")


@pytest.mark.parametrize("mode", ["open", "keys"])
class TestInBothModes:
    async def test_an_issued_key_is_its_project(
        self, begin: Begin[AllWork], clock: FakeClock, issued: IssuedKey, mode: str
    ) -> None:
        caller = await authenticate(begin, clock, mode)(issued.secret)
        assert caller.project == issued.key.project

    async def test_a_revoked_key_is_refused(
        self, begin: Begin[AllWork], clock: FakeClock, issued: IssuedKey, mode: str
    ) -> None:
        await RevokeApiKey(begin, clock)(issued.key.id)
        with pytest.raises(InvalidApiKey, match=r"^Invalid API key$"):
            await authenticate(begin, clock, mode)(issued.secret)

    async def test_a_key_in_use_is_refused_a_second_after_its_revocation(
        self, begin: Begin[AllWork], clock: FakeClock, issued: IssuedKey, mode: str
    ) -> None:
        check = authenticate(begin, clock, mode)
        await check(issued.secret)
        await RevokeApiKey(begin, clock)(issued.key.id)
        clock.pass_by(SECOND - MICROSECOND)
        await check(issued.secret)  # this is how long it may take
        clock.pass_by(MICROSECOND)
        with pytest.raises(InvalidApiKey):
            await check(issued.secret)

    async def test_the_last_digit_counts(
        self, begin: Begin[AllWork], clock: FakeClock, issued: IssuedKey, mode: str
    ) -> None:
        other = issued.secret[:-1] + ("0" if issued.secret[-1] != "0" else "1")
        try:
            caller = await authenticate(begin, clock, mode)(other)
        except InvalidApiKey:
            assert mode == "keys"
        else:
            assert mode == "open" and caller.project != issued.key.project


class TestOpenMode:
    async def test_a_strangers_key_opens_a_project_of_its_own(
        self, begin: Begin[AllWork], clock: FakeClock, issued: IssuedKey
    ) -> None:
        check = authenticate(begin, clock, "open")
        first, second = await check(STRANGER), await check(f"{STRANGER}0")
        assert len({first.project, second.project, issued.key.project}) == 3
        clock.pass_by(SECOND)
        assert await check(STRANGER) == first

    async def test_a_key_another_server_took_meanwhile_is_that_ones_project(
        self, begin: Begin[AllWork], clock: FakeClock
    ) -> None:
        async def not_yet(_: str) -> ApiKey | None:
            """An answer from before the other server's commit, however often it is asked for."""
            return None

        theirs = await authenticate(begin, clock, "open")(STRANGER)
        ours = Authenticate(begin, not_yet, clock, ids(3), welcome_strangers=True)
        assert await ours(STRANGER) == theirs

    async def test_what_is_stored_is_a_digest_and_when_it_came(
        self, begin: Begin[AllWork], clock: FakeClock
    ) -> None:
        caller = await authenticate(begin, clock, "open")(STRANGER)
        async with begin() as work:
            ((project, key),) = await work.accounts.keys()
        assert (project.id, key.project) == (caller.project, caller.project)
        assert (key.digest, key.created_at) == (digest_of(STRANGER), NOON)
        assert STRANGER not in repr((project, key))


class TestKeysMode:
    async def test_a_strangers_key_is_refused_and_leaves_nothing(
        self, begin: Begin[AllWork], clock: FakeClock
    ) -> None:
        with pytest.raises(InvalidApiKey):
            await authenticate(begin, clock, "keys")(STRANGER)
        async with begin() as work:
            assert await work.accounts.keys() == []

    async def test_a_key_refused_a_moment_ago_works_once_it_is_issued(
        self, begin: Begin[AllWork], clock: FakeClock
    ) -> None:
        check = authenticate(begin, clock, "keys")
        secret = bytes(range(32))
        create = CreateApiKey(begin, clock, ids(), lambda: secret)
        expected = await CreateApiKey(memory_transactions(), clock, ids(), lambda: secret)("p")
        with pytest.raises(InvalidApiKey):
            await check(expected.secret)
        issued = await create("p")
        assert (await check(issued.secret)).project == issued.key.project


class TestCachedKeys:
    async def find_counting(
        self, begin: Begin[AllWork], clock: FakeClock
    ) -> tuple[FindApiKey, list[str]]:
        """Return a cache, and a list that grows with each transaction it begins."""
        begun: list[str] = []

        def counting():  # type: ignore[no-untyped-def]
            begun.append("")
            return begin()

        return cached_keys(counting, time_s=clock.seconds), begun

    async def test_the_store_is_asked_once_a_second(
        self, begin: Begin[AllWork], clock: FakeClock, issued: IssuedKey
    ) -> None:
        find, begun = await self.find_counting(begin, clock)
        for _ in range(10):
            assert await find(issued.key.digest) == issued.key
        assert len(begun) == 1
        clock.pass_by(SECOND)
        await find(issued.key.digest)
        assert len(begun) == 2

    async def test_the_age_counts_from_before_the_store_answered(
        self, begin: Begin[AllWork], clock: FakeClock, issued: IssuedKey
    ) -> None:
        def slow():  # type: ignore[no-untyped-def]
            clock.pass_by(SECOND)
            return begin()

        find = cached_keys(slow, time_s=clock.seconds)
        await find(issued.key.digest)
        await RevokeApiKey(begin, clock)(issued.key.id)
        found = await find(issued.key.digest)
        assert found is not None and found.revoked_at is not None

    async def test_a_flood_of_keys_does_not_grow_it_without_end(
        self,
        begin: Begin[AllWork],
        clock: FakeClock,
        issued: IssuedKey,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(remembering, "MAX_ENTRIES", 2)
        others = [await CreateApiKey(begin, clock, ids(n), random_secret)("p") for n in (3, 4)]
        find, begun = await self.find_counting(begin, clock)
        for key in (issued, *others):
            await find(key.key.digest)
        await find(issued.key.digest)
        assert len(begun) == 4  # the first was forgotten

    async def test_uncached_every_look_is_at_the_store(
        self, begin: Begin[AllWork], clock: FakeClock, issued: IssuedKey
    ) -> None:
        find = stored_keys(begin)
        before: ApiKey | None = await find(issued.key.digest)
        await RevokeApiKey(begin, clock)(issued.key.id)
        after = await find(issued.key.digest)
        assert before == issued.key
        assert after is not None and after.revoked_at == NOON
