"""What the ledger says of a call that was forwarded."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.transactions.memory import memory_transactions
from llmring_adapters.usage.intake import DirectIntake, in_one_transaction
from llmring_core.gateway.forwarding import Metered, RecordAttempt, is_recorded
from llmring_core.transactions import Begin
from llmring_core.usage import Tokens, UsageRecord
from tests.builders.forwarding import FORWARDED
from tests.builders.kernel import NOON, P1, FakeClock, ids
from tests.builders.registry import QUOTE, PriceList
from tests.builders.usage import EVERYTHING, TOKENS


@pytest.fixture
def begin() -> Begin[AllWork]:
    return memory_transactions()


def recording(begin: Begin[AllWork]) -> RecordAttempt:
    intake = DirectIntake(in_one_transaction(begin))
    return RecordAttempt(intake, PriceList(), FakeClock(), ids())


async def recorded(begin: Begin[AllWork], **changes: Any) -> UsageRecord:
    await recording(begin)(replace(FORWARDED, **changes))
    async with begin() as work:
        [found] = await work.usage.newest(P1, EVERYTHING, 10)
    return found


async def test_a_call_that_was_metered_costs_what_the_registry_says(begin: Begin[AllWork]) -> None:
    record = await recorded(begin)

    assert (record.cost_usd, record.cost_status) == (Decimal("0.0000546"), "registry")
    assert record.registry_version == QUOTE.registry_version
    assert (record.kind, record.attempt_status) == ("call", "complete")
    assert (record.usage_source, record.tokens) == ("provider", TOKENS)
    assert (record.at, record.latency_ms, record.request_id) == (NOON, 1234, "req-1")
    assert record.metadata == {
        "endpoint": "/v1/chat/completions",
        "gateway_token_id": FORWARDED.token_id,
        "status": 200,
    }


async def test_what_is_not_known_is_not_free(begin: Begin[AllWork]) -> None:
    record = await recorded(begin, metered=Metered(), outcome="truncated")

    assert (record.cost_usd, record.cost_status) == (None, "unpriced")
    assert (record.usage_source, record.attempt_status) == ("missing", "truncated")


@pytest.mark.parametrize("model", [None, "", "x" * 256, "a\0b", "\ud800"])
async def test_a_model_that_cannot_be_stored_is_unknown(
    begin: Begin[AllWork], model: str | None
) -> None:
    assert (await recorded(begin, model=model)).model == "unknown"


@pytest.mark.parametrize("output", [-1, 2**53])
async def test_counts_that_cannot_be_true_are_missing(begin: Begin[AllWork], output: int) -> None:
    metered = Metered(tokens=Tokens(output=output), source="provider")

    record = await recorded(begin, metered=metered)

    assert (record.usage_source, record.tokens) == ("missing", Tokens())


def test_looking_things_up_costs_nothing() -> None:
    assert not is_recorded("GET", None)
    assert not is_recorded("DELETE", None)
    assert is_recorded("GET", "gpt-4o")
    assert is_recorded("POST", None)
