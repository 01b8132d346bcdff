"""What every AccountBook promises, on every backend."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from llmring_core.accounts import (
    AccountsWork,
    ApiKeyNotFound,
    DuplicateApiKey,
    DuplicateProject,
)
from llmring_core.ids import ApiKeyId
from llmring_core.transactions import Begin
from tests.builders.accounts import API_KEY, PROJECT, api_key, project
from tests.builders.kernel import MICROSECOND, NOON, P2

HOUR = timedelta(hours=1)


class TestAccountBook:
    async def test_finds_a_project_by_exactly_its_name(self, begin: Begin[AccountsWork]) -> None:
        async with begin() as work:
            await work.accounts.add_project(PROJECT)
        async with begin() as work:
            assert await work.accounts.project_named(PROJECT.name) == PROJECT
            for other in ("", PROJECT.name.upper(), f"{PROJECT.name} ", "%"):
                assert await work.accounts.project_named(other) is None

    async def test_a_name_is_taken_once(self, begin: Begin[AccountsWork]) -> None:
        async with begin() as work:
            await work.accounts.add_project(PROJECT)
        with pytest.raises(DuplicateProject) as refusal:
            async with begin() as work:
                await work.accounts.add_project(project(id=P2))
        assert refusal.value.name == PROJECT.name

    async def test_finds_a_key_by_its_digest(self, begin: Begin[AccountsWork]) -> None:
        async with begin() as work:
            await work.accounts.add_project(PROJECT)
            await work.accounts.add_key(API_KEY)
        async with begin() as work:
            assert await work.accounts.key_with(API_KEY.digest) == API_KEY
            for other in ("", API_KEY.digest.upper(), API_KEY.digest[:-1], api_key(2).digest):
                assert await work.accounts.key_with(other) is None

    async def test_a_digest_is_taken_once_across_projects(self, begin: Begin[AccountsWork]) -> None:
        async with begin() as work:
            await work.accounts.add_project(PROJECT)
            await work.accounts.add_project(project(id=P2, name="other"))
            await work.accounts.add_key(API_KEY)
        with pytest.raises(DuplicateApiKey):
            async with begin() as work:
                await work.accounts.add_key(api_key(2, digest=API_KEY.digest, project=P2))
        async with begin() as work:
            assert await work.accounts.key_with(API_KEY.digest) == API_KEY

    async def test_lists_every_key_with_its_project_oldest_first(
        self, begin: Begin[AccountsWork]
    ) -> None:
        other = project(id=P2, name="other")
        newer, older = api_key(1, created_at=NOON + MICROSECOND), api_key(3, project=P2)
        as_old = api_key(2)
        async with begin() as work:
            await work.accounts.add_project(PROJECT)
            await work.accounts.add_project(other)
            for key in (newer, older, as_old):
                await work.accounts.add_key(key)
        async with begin() as work:
            keys = await work.accounts.keys()
        assert keys == [(PROJECT, as_old), (other, older), (PROJECT, newer)]

    async def test_a_revoked_key_is_kept_with_the_time_of_its_first_revocation(
        self, begin: Begin[AccountsWork]
    ) -> None:
        revoked = replace(API_KEY, revoked_at=NOON + HOUR)
        async with begin() as work:
            await work.accounts.add_project(PROJECT)
            await work.accounts.add_key(API_KEY)
            await work.accounts.add_key(api_key(2))
        for at in (NOON + HOUR, NOON + 2 * HOUR, NOON):
            async with begin() as work:
                assert await work.accounts.revoke(API_KEY.id, at) == revoked
        async with begin() as work:
            assert await work.accounts.key_with(API_KEY.digest) == revoked
            assert await work.accounts.key_with(api_key(2).digest) == api_key(2)

    async def test_a_key_nobody_has_cannot_be_revoked(self, begin: Begin[AccountsWork]) -> None:
        with pytest.raises(ApiKeyNotFound) as refusal:
            async with begin() as work:
                await work.accounts.revoke(ApiKeyId("nobody's"), NOON)
        assert refusal.value.id == "nobody's"

    async def test_a_failed_block_leaves_nothing(self, begin: Begin[AccountsWork]) -> None:
        async with begin() as work:
            await work.accounts.add_project(PROJECT)
            await work.accounts.add_key(API_KEY)
        with pytest.raises(DuplicateApiKey):
            async with begin() as work:
                await work.accounts.add_project(project(id=P2, name="other"))
                await work.accounts.revoke(API_KEY.id, NOON)
                await work.accounts.add_key(API_KEY)
        async with begin() as work:
            assert await work.accounts.project_named("other") is None
            assert await work.accounts.keys() == [(PROJECT, API_KEY)]
