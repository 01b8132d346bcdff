"""Signing what a caller states: at the registry's price, by a key in force, or not at all."""

from decimal import Decimal

import pytest
from msgspec import json
from msgspec.structs import replace

from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.transactions.memory import memory_transactions
from llmring_core.errors import InvalidField
from llmring_core.receipts import CannotSign, CloseKey, FlatToSign, NestedToSign, SignHistoric
from llmring_core.transactions import Begin
from tests.builders.kernel import NOON, FakeClock
from tests.builders.receipts import KEY, SIGNER, secrets
from tests.builders.registry import PriceList

FLAT = FlatToSign(
    receipt_id=None,
    timestamp=None,
    alias="fast",
    profile=None,
    lock_digest=None,
    provider="openai",
    model="gpt-4o-mini",
    prompt_tokens=10**12,
    completion_tokens=7,
    total_tokens=None,
    input_cost_usd=None,
    output_cost_usd=None,
    total_cost_usd=None,
)
NESTED = NestedToSign(
    id=None,
    timestamp=None,
    registry_version=None,
    model="openai:gpt-4o-mini",
    alias="fast",
    profile=None,
    lock_digest="",
    key_id=SIGNER.key_id,
    input_tokens=1000,
    output_tokens=0,
    cached_input_tokens=400,
    amount_usd=None,
)


@pytest.fixture
async def begin() -> Begin[AllWork]:
    begin = memory_transactions()
    async with begin() as work:
        await work.keys.put(KEY)
    return begin


@pytest.fixture
def sign(begin: Begin[AllWork]) -> SignHistoric:
    return SignHistoric(begin, SIGNER, PriceList(), FakeClock(), secrets())


@pytest.mark.parametrize("wanted", [FLAT, NESTED], ids=["flat", "nested"])
async def test_a_closed_key_signs_nothing(
    begin: Begin[AllWork], sign: SignHistoric, wanted: FlatToSign | NestedToSign
) -> None:
    assert "signature" in json.decode(await sign(wanted))
    await CloseKey(begin, FakeClock())(KEY.id, revoke=False)
    with pytest.raises(CannotSign):
        await sign(wanted)


async def test_members_that_are_left_out_are_filled_in(sign: SignHistoric) -> None:
    first, second = [json.decode(await sign(FLAT)) for _ in range(2)]
    assert first["receipt_id"] == "rcpt_0000000000000001" != second["receipt_id"]
    assert (first["timestamp"], first["total_tokens"]) == (NOON.isoformat(), 10**12 + 7)
    assert (first["input_cost"], first["output_cost"]) == (150_000, 0.0000042)


async def test_cached_tokens_of_a_nested_receipt_cost_less(sign: SignHistoric) -> None:
    receipt = json.decode(await sign(NESTED))
    assert receipt["cost"]["amount"] == "0.00012"
    assert receipt["cost"]["calculation"] == "600/1000000*0.15 + 400/1000000*0.075"


@pytest.mark.parametrize("noise", ["0.00000001", "-0.00000001", "0.000000000001"])
async def test_noise_of_floats_is_no_other_price_and_is_not_signed(
    sign: SignHistoric, noise: str
) -> None:
    stated = replace(FLAT, input_cost_usd=Decimal(150_000) + Decimal(noise))
    assert json.decode(await sign(stated))["input_cost"] == 150_000


@pytest.mark.parametrize("difference", ["0.0000002", "-0.0000002", "1"])
async def test_another_price_is_refused(sign: SignHistoric, difference: str) -> None:
    stated = replace(FLAT, input_cost_usd=Decimal(150_000) + Decimal(difference))
    with pytest.raises(InvalidField, match="input_cost: must be 150000 US dollars"):
        await sign(stated)


@pytest.mark.parametrize("wanted", [FLAT, NESTED], ids=["flat", "nested"])
async def test_a_model_without_a_price_is_refused(
    begin: Begin[AllWork], wanted: FlatToSign | NestedToSign
) -> None:
    sign = SignHistoric(begin, SIGNER, PriceList({}), FakeClock(), secrets())
    with pytest.raises(InvalidField, match="model: has no price"):
        await sign(wanted)
