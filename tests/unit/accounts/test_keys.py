"""Making, listing, rotating and revoking API keys."""

from datetime import timedelta

import pytest

from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.transactions.memory import memory_transactions
from llmring_core.accounts import (
    ApiKeyNotFound,
    CreateApiKey,
    ListApiKeys,
    RevokeApiKey,
    RotateApiKey,
    digest_of,
)
from llmring_core.errors import InvalidField
from llmring_core.ids import ApiKeyId, NewSecret
from llmring_core.transactions import Begin
from tests.builders.kernel import NOON, FakeClock, ids

HOUR = timedelta(hours=1)


def secrets() -> NewSecret:
    """Return a port that makes 32 bytes of 0, then of 1, ..."""
    numbers = iter(range(256))
    return lambda: bytes([next(numbers)]) * 32


class TestKeys:
    @pytest.fixture(autouse=True)
    def _use_cases(self) -> None:
        self.clock = FakeClock()
        self.begin: Begin[AllWork] = memory_transactions()
        new_id, new_secret = ids(), secrets()
        self.create = CreateApiKey(self.begin, self.clock, new_id, new_secret)
        self.rotate = RotateApiKey(self.begin, self.clock, new_id, new_secret)
        self.revoke = RevokeApiKey(self.begin, self.clock)
        self.list = ListApiKeys(self.begin)

    async def test_a_key_is_shown_once_and_kept_as_its_digest(self) -> None:
        issued = await self.create("Größe")
        ((project, key),) = await self.list()
        assert key == issued.key
        assert key.digest == digest_of(issued.secret)
        assert (project.name, key.created_at, key.revoked_at) == ("Größe", NOON, None)
        assert issued.secret not in repr((project, key))

    async def test_keys_of_one_project_share_it(self) -> None:
        first, second, other = [await self.create(name) for name in ("p", "p", "P")]
        assert first.key.project == second.key.project != other.key.project
        assert len({first.secret, second.secret, other.secret}) == 3

    @pytest.mark.parametrize("name", ["", "x" * 256, "a\0", "\ud800"])
    async def test_a_project_needs_a_name_that_can_be_kept(self, name: str) -> None:
        with pytest.raises(InvalidField, match="project"):
            await self.create(name)
        assert await self.list() == []

    async def test_the_list_goes_from_the_oldest_to_the_newest(self) -> None:
        names = ["c", "a", "b"]
        for name in names:
            await self.create(name)
            self.clock.pass_by(HOUR)
        assert [project.name for project, _ in await self.list()] == names

    async def test_a_rotated_key_is_closed_and_its_successor_opens_the_same_project(self) -> None:
        old = await self.create("p")
        self.clock.pass_by(HOUR)
        new = await self.rotate(old.key.id)
        (_, before), (_, after) = await self.list()
        assert (before.id, before.revoked_at) == (old.key.id, NOON + HOUR)
        assert (after, after.revoked_at) == (new.key, None)
        assert new.key.project == old.key.project and new.secret != old.secret

    async def test_a_revoked_key_stays_revoked_since_the_first_time(self) -> None:
        issued = await self.create("p")
        first = await self.revoke(issued.key.id)
        self.clock.pass_by(HOUR)
        assert await self.revoke(issued.key.id) == first
        assert first.revoked_at == NOON

    async def test_revoking_one_leaves_the_others_open(self) -> None:
        one, other = await self.create("p"), await self.create("p")
        await self.revoke(one.key.id)
        assert {key.id: key.revoked_at for _, key in await self.list()} == {
            one.key.id: NOON,
            other.key.id: None,
        }

    async def test_a_key_nobody_has_can_be_neither_rotated_nor_revoked(self) -> None:
        await self.create("p")
        before = await self.list()
        for use_case in (self.rotate, self.revoke):
            with pytest.raises(ApiKeyNotFound):
                await use_case(ApiKeyId("nobody's"))
        assert await self.list() == before
