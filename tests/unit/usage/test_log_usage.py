"""Logging a call: priced once, stored once, answered the same however often it is sent."""

from datetime import timedelta
from decimal import Decimal

import pytest

from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.transactions.memory import memory_transactions
from llmring_adapters.usage.intake import DirectIntake, in_one_transaction
from llmring_core.errors import InvalidField
from llmring_core.idempotency import KEY_LIFETIME, KeyReused
from llmring_core.transactions import Begin
from llmring_core.usage import (
    MAX_COUNT,
    LogUsage,
    Tokens,
    TotalsOverflow,
    UsageRecord,
    UsageToLog,
    cost_usd,
)
from tests.builders.kernel import MICROSECOND, NOON, P1, P2, FakeClock, ids
from tests.builders.registry import QUOTE, PriceList, prices, quote
from tests.builders.usage import CALL, EVERYTHING, call

COST = Decimal("0.0000546")  # of CALL, at PRICES


@pytest.fixture
def begin() -> Begin[AllWork]:
    return memory_transactions()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def registry() -> PriceList:
    return PriceList()


@pytest.fixture
def log(begin: Begin[AllWork], registry: PriceList, clock: FakeClock) -> LogUsage:
    return LogUsage(begin, DirectIntake(in_one_transaction(begin)), registry, clock, ids())


async def records(begin: Begin[AllWork]) -> list[UsageRecord]:
    async with begin() as work:
        return await work.usage.newest(P1, EVERYTHING, 100)


class TestPricing:
    async def test_a_call_costs_what_the_registry_says(
        self, log: LogUsage, begin: Begin[AllWork]
    ) -> None:
        outcome = await log(P1, CALL)
        (record,) = await records(begin)
        assert (outcome.value.cost_usd, outcome.value.cost_status) == (COST, "registry")
        assert (record.cost_usd, record.registry_cost_usd) == (COST, COST)
        assert record.registry_version == QUOTE.registry_version
        assert record.registry_digest == QUOTE.registry_digest

    async def test_the_cost_can_be_recomputed_from_the_record_alone(
        self, log: LogUsage, begin: Begin[AllWork]
    ) -> None:
        await log(P1, CALL)
        (record,) = await records(begin)
        assert cost_usd(record.rates) == record.cost_usd

    async def test_the_callers_cost_is_kept_beside_the_registrys(
        self, log: LogUsage, begin: Begin[AllWork]
    ) -> None:
        outcome = await log(P1, call(cost_usd=Decimal("0.000000000001")))
        (record,) = await records(begin)
        assert outcome.value.cost_status == record.cost_status == "client"
        assert (record.cost_usd, record.registry_cost_usd) == (Decimal("1e-12"), COST)
        assert cost_usd(record.rates) == COST

    async def test_a_callers_cost_of_zero_is_a_cost(self, log: LogUsage) -> None:
        outcome = await log(P1, call(cost_usd=Decimal(0)))
        assert (outcome.value.cost_usd, outcome.value.cost_status) == (0, "client")

    async def test_without_any_price_the_cost_is_none_and_never_zero(
        self, log: LogUsage, begin: Begin[AllWork]
    ) -> None:
        outcome = await log(P1, call(model="nobody knows"))
        (record,) = await records(begin)
        assert (outcome.value.cost_usd, outcome.value.cost_status) == (None, "unpriced")
        assert (record.cost_usd, record.registry_cost_usd, record.rates) == (None, None, ())
        assert (record.registry_version, record.registry_digest) == (None, None)

    async def test_a_model_that_is_free_costs_zero_and_is_priced(
        self, log: LogUsage, registry: PriceList
    ) -> None:
        free = prices(input=Decimal(0), output=Decimal(0), cached_input=None)
        registry.quotes["openai:gpt-4o-mini"] = quote(prices=free)
        outcome = await log(P1, CALL)
        assert (outcome.value.cost_usd, outcome.value.cost_status) == (0, "registry")

    async def test_a_new_price_leaves_old_costs_alone(
        self, log: LogUsage, begin: Begin[AllWork], registry: PriceList
    ) -> None:
        await log(P1, CALL)
        dearer = prices(input=Decimal(100))
        registry.quotes["openai:gpt-4o-mini"] = quote(prices=dearer, registry_version="2026.11.21")
        await log(P1, CALL)
        newer, older = await records(begin)
        assert older.cost_usd == COST < (newer.cost_usd or 0)
        assert (older.registry_version, newer.registry_version) == ("2026.11.20", "2026.11.21")

    @pytest.mark.parametrize("cost", [None, Decimal(1)], ids=["registry", "caller"])
    async def test_a_call_above_a_million_dollars_is_refused(
        self, log: LogUsage, begin: Begin[AllWork], cost: Decimal | None
    ) -> None:
        with pytest.raises(InvalidField, match="1000000 US dollars"):
            await log(P1, call(tokens=Tokens(output=MAX_COUNT), cost_usd=cost))
        assert await records(begin) == []

    async def test_a_call_of_exactly_a_million_dollars_is_taken(
        self, log: LogUsage, registry: PriceList
    ) -> None:
        registry.quotes["openai:gpt-4o-mini"] = quote(prices=prices(output=Decimal(1_000_000)))
        outcome = await log(P1, call(tokens=Tokens(output=1_000_000)))
        assert outcome.value.cost_usd == 1_000_000


class TestTheRecord:
    async def test_says_everything_the_caller_said(
        self, log: LogUsage, begin: Begin[AllWork]
    ) -> None:
        said = call(
            alias="schnell",
            profile="Ω",
            origin="チャット",
            id_at_origin="7",
            latency_ms=12,
            metadata={"ß": [1]},
            client_log_id="mine",
        )
        outcome = await log(P1, said, "key", request_id="r1")
        (record,) = await records(begin)
        for name in UsageToLog.__struct_fields__:
            if name != "cost_usd":
                assert getattr(record, name) == getattr(said, name)
        assert (record.id, record.at) == (outcome.value.id, outcome.value.at)
        assert (record.at, record.project, record.request_id) == (NOON, P1, "r1")
        assert (record.kind, record.attempt_status) == ("call", "complete")
        assert record.usage_source == "client"

    async def test_what_is_empty_is_absent(self, log: LogUsage, begin: Begin[AllWork]) -> None:
        await log(P1, call(alias="", origin="", profile=""))
        (record,) = await records(begin)
        assert (record.alias, record.origin, record.profile) == (None, None, "default")

    async def test_without_a_key_every_call_is_a_call(
        self, log: LogUsage, begin: Begin[AllWork]
    ) -> None:
        same_conversation = call(id_at_origin="conversation")
        outcomes = [await log(P1, same_conversation) for _ in range(3)]
        assert not any(outcome.replayed for outcome in outcomes)
        assert len(await records(begin)) == 3


class TestTheSameRequestAgain:
    @pytest.mark.parametrize(
        ("key", "client_log_id"), [("key", None), (None, "mine"), ("key", "mine")]
    )
    async def test_gets_the_first_answer_and_changes_nothing(
        self,
        log: LogUsage,
        begin: Begin[AllWork],
        clock: FakeClock,
        registry: PriceList,
        key: str | None,
        client_log_id: str | None,
    ) -> None:
        named = call(client_log_id=client_log_id)
        first = await log(P1, named, key)
        clock.pass_by(timedelta(hours=1))
        registry.quotes.clear()
        second = await log(P1, named, key)
        assert second.value == first.value
        assert (first.replayed, second.replayed) == (False, True)
        assert len(await records(begin)) == 1

    async def test_is_known_by_either_of_its_names(
        self, log: LogUsage, begin: Begin[AllWork]
    ) -> None:
        named = call(client_log_id="mine")
        first = await log(P1, named, "key")
        assert (await log(P1, named)).value == first.value
        assert (await log(P1, named, "another key")).value == first.value
        assert len(await records(begin)) == 1

    @pytest.mark.parametrize(
        "other",
        [
            call(model="m"),
            call(cost_usd=Decimal(1)),
            call(metadata={"a": 1}),
            call(tokens=Tokens()),
        ],
        ids=["model", "cost", "metadata", "tokens"],
    )
    async def test_under_an_old_key_another_request_is_refused(
        self, log: LogUsage, begin: Begin[AllWork], other: UsageToLog
    ) -> None:
        await log(P1, CALL, "key")
        with pytest.raises(KeyReused):
            await log(P1, other, "key")
        assert len(await records(begin)) == 1

    async def test_under_an_old_client_log_id_another_request_is_refused(
        self, log: LogUsage
    ) -> None:
        await log(P1, call(client_log_id="mine"))
        with pytest.raises(KeyReused):
            await log(P1, call(client_log_id="mine", model="m"))

    async def test_is_the_same_in_whatever_order_its_metadata_came(self, log: LogUsage) -> None:
        await log(P1, call(metadata={"a": 1, "b": {"c": 2, "d": 3}}), "key")
        again = await log(P1, call(metadata={"b": {"d": 3, "c": 2}, "a": 1}), "key")
        assert again.replayed

    async def test_in_another_project_is_another_request(self, log: LogUsage) -> None:
        named = call(client_log_id="mine")
        first = await log(P1, named, "key")
        second = await log(P2, named, "key")
        assert not second.replayed and second.value.id != first.value.id

    async def test_a_key_may_be_used_anew_when_its_life_is_over(
        self, log: LogUsage, begin: Begin[AllWork], clock: FakeClock
    ) -> None:
        await log(P1, CALL, "key")
        clock.pass_by(KEY_LIFETIME - MICROSECOND)
        assert (await log(P1, CALL, "key")).replayed
        clock.pass_by(MICROSECOND)
        assert not (await log(P1, call(model="m"), "key")).replayed
        assert len(await records(begin)) == 2

    async def test_a_client_log_id_is_never_used_anew(
        self, log: LogUsage, clock: FakeClock
    ) -> None:
        await log(P1, call(client_log_id="mine"))
        clock.pass_by(timedelta(days=3650))
        assert (await log(P1, call(client_log_id="mine"))).replayed


class TestAFailure:
    @pytest.mark.parametrize(
        "failing", [Tokens(output=MAX_COUNT), Tokens(input_uncached=MAX_COUNT)]
    )
    async def test_of_validation_does_not_burn_the_key(
        self, log: LogUsage, begin: Begin[AllWork], failing: Tokens
    ) -> None:
        with pytest.raises(InvalidField):
            await log(P1, call(tokens=failing, client_log_id="mine"), "key")
        corrected = await log(P1, call(client_log_id="mine"), "key")
        assert not corrected.replayed
        assert len(await records(begin)) == 1

    async def test_of_the_store_does_not_burn_the_key(
        self, log: LogUsage, registry: PriceList, clock: FakeClock
    ) -> None:
        registry.quotes.clear()
        full = call(tokens=Tokens(input_uncached=MAX_COUNT))
        for _ in range(2**10):
            await log(P1, full)
        with pytest.raises(TotalsOverflow):
            await log(P1, full, "key")
        clock.pass_by(timedelta(days=1))
        assert not (await log(P1, full, "key")).replayed
