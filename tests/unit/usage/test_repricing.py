"""Repricing: the difference to today's price, once, whatever was corrected before."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmring_core.ids import UsageId
from llmring_core.registry import Quote
from llmring_core.usage import Tokens, UsageRecord, cost_usd, rate_lines, sums_of
from llmring_core.usage.repricing import adjustment, cost_with, repricing_of
from tests.builders.kernel import NOON
from tests.builders.registry import QUOTE, prices, quote
from tests.builders.usage import TOKENS, usage_record

COST = cost_usd(rate_lines(TOKENS, QUOTE.prices))
CALL = usage_record(cost_usd=COST, cost_status="registry")
UNPRICED = usage_record(cost_usd=None, cost_status="unpriced", registry_cost_usd=None, rates=())
DEARER = quote(prices=prices(input=Decimal(100)), registry_digest="ab" * 32)

rates = st.decimals(min_value=0, max_value=1000, places=4)
counts = st.integers(min_value=0, max_value=10**8)


def corrected(call: UsageRecord, made: list[UsageRecord], new: Quote) -> list[UsageRecord]:
    change = repricing_of(call, made, new)
    if change is None:
        return made
    id = UsageId(f"01980000-0000-7000-9000-{len(made):012x}")
    return [*made, adjustment(change, id=id, at=NOON)]


def test_an_unchanged_price_changes_nothing() -> None:
    assert repricing_of(CALL, [], QUOTE) is None


def test_a_call_without_a_price_gets_its_first_one() -> None:
    (made,) = corrected(UNPRICED, [], QUOTE)
    assert (made.cost_usd, made.cost_status, made.kind) == (COST, "repriced", "adjustment")


def test_a_model_that_turns_out_free_is_corrected_once() -> None:
    free = quote(prices=prices(input=Decimal(0), output=Decimal(0), cached_input=None))
    made = corrected(UNPRICED, [], free)
    assert [one.cost_usd for one in made] == [0]
    assert corrected(UNPRICED, made, free) == made


@pytest.mark.parametrize(
    "call",
    [
        usage_record(cost_usd=Decimal(1), cost_status="client"),
        usage_record(cost_usd=Decimal(1), cost_status="repriced", kind="adjustment"),
        usage_record(cost_usd=Decimal(0), cost_status="registry", kind="cache_hit"),
        usage_record(cost_usd=None, cost_status="unpriced", usage_source="missing"),
    ],
    ids=["client", "adjustment", "cache hit", "missing"],
)
def test_only_calls_that_the_registry_prices_are_repriced(call: UsageRecord) -> None:
    assert repricing_of(call, [], DEARER) is None


def test_without_a_price_there_is_nothing_to_say() -> None:
    assert repricing_of(CALL, [], None) is None


def test_no_call_is_repriced_above_a_million_dollars() -> None:
    huge = usage_record(cost_usd=COST, cost_status="registry", tokens=Tokens(output=2**53 - 1))
    assert repricing_of(huge, [], DEARER) is None


def test_the_correction_names_its_call_and_the_price_it_used() -> None:
    (made,) = corrected(CALL, [], DEARER)
    assert made.adjusts == CALL.id != made.id
    assert (made.registry_digest, made.tokens) == (DEARER.registry_digest, Tokens())
    assert cost_usd(made.rates) == made.registry_cost_usd == cost_with(CALL, [made])
    assert (made.provider, made.model, made.alias) == (CALL.provider, CALL.model, CALL.alias)
    assert (sums_of(made).requests, sums_of(made).input_tokens, sums_of(made).unpriced) == (0, 0, 0)


def test_the_way_back_is_a_correction_too() -> None:
    there = corrected(CALL, [], DEARER)
    back = corrected(CALL, there, QUOTE)
    again = corrected(CALL, back, DEARER)
    assert [len(there), len(back), len(again)] == [1, 2, 3]
    assert cost_with(CALL, back) == COST and back[1].cost_usd == -(there[0].cost_usd or 0)


@given(st.lists(st.tuples(rates, rates), max_size=6), counts, counts, st.booleans())
def test_with_its_corrections_a_call_costs_what_the_last_registry_says(
    registries: list[tuple[Decimal, Decimal]], prompt: int, answer: int, priced: bool
) -> None:
    tokens = Tokens(input_uncached=prompt, output=answer)
    first = cost_usd(rate_lines(tokens, QUOTE.prices))
    call = usage_record(
        tokens=tokens,
        cost_usd=first if priced else None,
        cost_status="registry" if priced else "unpriced",
    )
    made: list[UsageRecord] = []
    expected = call.cost_usd
    for input, output in registries:
        new = quote(prices=prices(input=input, output=output))
        made = corrected(call, made, new)
        expected = cost_usd(rate_lines(tokens, new.prices))
        assert corrected(call, made, new) == made
    assert cost_with(call, made) == expected
