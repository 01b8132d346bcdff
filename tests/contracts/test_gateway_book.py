"""What every GatewayBook promises, on every backend."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from llmring_adapters.transactions.all_work import AllWork
from llmring_core.accounts import DuplicateProject
from llmring_core.gateway.projects import MAX_FALLBACKS
from llmring_core.transactions import Begin
from tests.builders.accounts import PROJECT, project
from tests.builders.gateway import GATEWAY_PROJECT, SEALED_KEY, kept
from tests.builders.kernel import NOON, P1, P2

LATER = NOON + timedelta(days=1)


class TestGatewayBook:
    async def test_gives_back_exactly_what_was_added(self, begin: Begin[AllWork]) -> None:
        settings = {
            "is_active": False,
            "deactivated_at": LATER,
            "default_provider": "anthropic",
            "fallbacks": ("a" * 64, "openai", "openai"),
            "issues_receipts": True,
        }
        await kept(begin, **settings)
        added = replace(GATEWAY_PROJECT, **settings)
        async with begin() as work:
            for locked in (False, True):
                assert await work.gateway.find(P1, locked=locked) == added
            assert await work.gateway.all() == [added]
            assert await work.gateway.find(P2) is None

    async def test_a_project_has_settings_once(self, begin: Begin[AllWork]) -> None:
        await kept(begin, deleted_at=LATER)
        with pytest.raises(DuplicateProject):
            async with begin() as work:
                await work.gateway.add(GATEWAY_PROJECT)

    async def test_keeps_what_is_changed(self, begin: Begin[AllWork]) -> None:
        await kept(begin)
        after = replace(GATEWAY_PROJECT, is_active=False, deactivated_at=LATER, updated_at=LATER)
        async with begin() as work:
            await work.gateway.change(after)
        async with begin() as work:
            assert await work.gateway.find(P1) == after

    async def test_keeps_the_longest_order_of_providers_and_none(
        self, begin: Begin[AllWork]
    ) -> None:
        await kept(begin)
        longest = ("9._-" * 16,) * MAX_FALLBACKS
        for order in (longest, ("b", "a", "b"), ()):
            after = replace(GATEWAY_PROJECT, fallbacks=order, issues_receipts=bool(order))
            async with begin() as work:
                await work.gateway.change(after)
            async with begin() as work:
                assert await work.gateway.find(P1) == after

    async def test_a_deleted_project_is_not_found(self, begin: Begin[AllWork]) -> None:
        await kept(begin, deleted_at=LATER)
        async with begin() as work:
            assert await work.gateway.find(P1) is None
            assert await work.gateway.all() == []

    async def test_lists_by_name_as_it_is_now(self, begin: Begin[AllWork]) -> None:
        await kept(begin)
        async with begin() as work:
            await work.accounts.add_project(project(id=P2, name="b"))
            await work.gateway.add(replace(GATEWAY_PROJECT, id=P2, name="b"))
            await work.accounts.rename_project(P1, "a")
        async with begin() as work:
            found = await work.gateway.all()
        assert [(one.id, one.name) for one in found] == [(P1, "a"), (P2, "b")]

    async def test_a_name_that_is_taken_cannot_be_given(self, begin: Begin[AllWork]) -> None:
        async with begin() as work:
            await work.accounts.add_project(PROJECT)
            await work.accounts.add_project(project(id=P2, name="b"))
        with pytest.raises(DuplicateProject):
            async with begin() as work:
                await work.accounts.rename_project(P2, PROJECT.name)

    async def test_keeps_one_key_for_each_provider(self, begin: Begin[AllWork]) -> None:
        other = replace(SEALED_KEY, provider="anthropic")
        newer = replace(SEALED_KEY, key_id="enc_2", sealed=b"\0newer", shown="**")
        await kept(begin)
        async with begin() as work:
            for key in (SEALED_KEY, other, newer):
                await work.gateway.put_key(P1, key)
        async with begin() as work:
            assert await work.gateway.keys(P1) == [other, newer]
            assert await work.gateway.every_key(locked=True) == [(P1, other), (P1, newer)]
            assert await work.gateway.keys(P2) == []
