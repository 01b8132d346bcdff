"""Use cases that many call at the same moment, on every backend: one effect, one answer."""

import asyncio
from collections import Counter
from decimal import Decimal

from llmring_adapters.accounts.cached import cached_keys, stored_keys
from llmring_adapters.system import random_secret
from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.usage.intake import DirectIntake, in_one_transaction
from llmring_core.accounts import Authenticate, CreateApiKey, InvalidApiKey, RevokeApiKey
from llmring_core.idempotency import KeyReused
from llmring_core.transactions import Begin
from llmring_core.usage import LogUsage
from tests.builders.kernel import P1, P2, FakeClock, ids
from tests.builders.registry import PriceList
from tests.builders.usage import EVERYTHING, call

MANY = 50


def log_usage(begin: Begin[AllWork]) -> LogUsage:
    intake = DirectIntake(in_one_transaction(begin))
    return LogUsage(begin, intake, PriceList(), FakeClock(), ids())


class TestLogUsage:
    async def test_equal_requests_with_one_key_make_one_record(self, begin: Begin[AllWork]) -> None:
        log = log_usage(begin)
        outcomes = await asyncio.gather(*(log(P1, call(), "key") for _ in range(MANY)))
        assert Counter(outcome.replayed for outcome in outcomes) == {True: MANY - 1, False: 1}
        assert len({outcome.value for outcome in outcomes}) == 1
        async with begin() as work:
            (record,) = await work.usage.newest(P1, EVERYTHING, MANY)
        assert record.id == outcomes[0].value.id

    async def test_equal_records_with_one_client_log_id_make_one_record(
        self, begin: Begin[AllWork]
    ) -> None:
        log, named = log_usage(begin), call(client_log_id="mine")
        outcomes = await asyncio.gather(
            *(log(P1, named, f"key {number}") for number in range(MANY))
        )
        assert len({outcome.value.id for outcome in outcomes}) == 1
        async with begin() as work:
            assert len(await work.usage.newest(P1, EVERYTHING, MANY)) == 1

    async def test_of_different_requests_with_one_key_one_wins(self, begin: Begin[AllWork]) -> None:
        log = log_usage(begin)
        calls = [call(cost_usd=Decimal(number)) for number in range(MANY)]
        outcomes = await asyncio.gather(
            *(log(P1, one, "key") for one in calls), return_exceptions=True
        )
        refused = [outcome for outcome in outcomes if isinstance(outcome, KeyReused)]
        assert len(refused) == MANY - 1
        async with begin() as work:
            assert len(await work.usage.newest(P1, EVERYTHING, MANY)) == 1

    async def test_a_key_of_another_project_is_another_key(self, begin: Begin[AllWork]) -> None:
        log = log_usage(begin)
        mine, theirs = await asyncio.gather(log(P1, call(), "key"), log(P2, call(), "key"))
        assert mine.value.id != theirs.value.id
        assert not mine.replayed and not theirs.replayed


class TestAccounts:
    async def test_the_first_uses_of_a_new_key_open_one_project(
        self, begin: Begin[AllWork]
    ) -> None:
        authenticate = Authenticate(begin, cached_keys(begin), FakeClock(), ids(), True)
        callers = await asyncio.gather(*(authenticate("llmr_pk_new") for _ in range(MANY)))
        assert len({caller.project for caller in callers}) == 1
        async with begin() as work:
            assert len(await work.accounts.keys()) == 1

    async def test_the_first_keys_of_a_project_share_it(self, begin: Begin[AllWork]) -> None:
        create = CreateApiKey(begin, FakeClock(), ids(), random_secret)
        issued = await asyncio.gather(*(create("Größe") for _ in range(10)))
        assert len({one.key.project for one in issued}) == 1
        assert len({one.secret for one in issued}) == 10

    async def test_whoever_comes_after_the_revocation_is_refused(
        self, begin: Begin[AllWork]
    ) -> None:
        create = CreateApiKey(begin, FakeClock(), ids(), random_secret)
        issued = await create("p")
        await RevokeApiKey(begin, FakeClock())(issued.key.id)
        authenticate = Authenticate(begin, stored_keys(begin), FakeClock(), ids(), True)
        outcomes = await asyncio.gather(
            *(authenticate(issued.secret) for _ in range(10)), return_exceptions=True
        )
        assert all(isinstance(outcome, InvalidApiKey) for outcome in outcomes)
