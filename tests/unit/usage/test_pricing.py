"""What a call costs: lines that recompute, one rounding, and nothing lost on the way."""

from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert, json
from msgspec.structs import replace

from llmring_core.money import EXACT, rounded
from llmring_core.registry import Prices
from llmring_core.usage import MAX_COUNT, RateLine, Tokens, cost_usd, rate_lines
from tests.builders.registry import PRICES, prices

VECTORS = json.decode((Path(__file__).parents[2] / "vectors" / "costs.json").read_bytes())
NO_PRICES = replace(PRICES, cached_input=None)

counts = st.one_of(st.integers(0, 10_000), st.integers(0, MAX_COUNT))
rates = st.decimals(0, 1_000_000, places=12)
maybe = st.none() | rates
tokens = st.builds(Tokens, **dict.fromkeys(Tokens.__struct_fields__, counts))
price_lists = st.builds(
    Prices,
    input=rates,
    output=rates,
    cached_input=maybe,
    cache_read=maybe,
    cache_write_5m=maybe,
    cache_write_1h=maybe,
    input_long_context=maybe,
    output_long_context=maybe,
    output_thinking=maybe,
    long_context_threshold=st.none() | st.integers(1, 300_000),
)
flat_price_lists = price_lists.map(lambda some: replace(some, long_context_threshold=None))


def cost(used: Tokens, at: Prices) -> Decimal:
    return cost_usd(rate_lines(used, at))


def exact(used: Tokens, at: Prices) -> Decimal:
    """Return the unrounded sum of the lines, from their quantities and rates alone."""
    with localcontext(EXACT):
        parts = (line.quantity * Decimal(line.rate) / line.per for line in rate_lines(used, at))
        return sum(parts, Decimal(0))


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_the_vectors_of_this_repository(vector: dict[str, Any]) -> None:
    quoted = {
        name: value if isinstance(value, int) else Decimal(value)
        for name, value in vector["prices"].items()
    }
    used = convert(vector["tokens"], Tokens)
    assert cost(used, replace(NO_PRICES, **quoted)) == Decimal(vector["cost"])


def test_every_kind_of_token_has_a_line_of_its_own() -> None:
    used = Tokens(**dict.fromkeys(Tokens.__struct_fields__, 5))
    lines = rate_lines(used, prices(long_context_threshold=3, input_long_context=Decimal(7)))
    assert {line.unit: line.quantity for line in lines} == {
        "input_uncached": 3,
        "input_long_context": 2,
        "input_cache_read": 5,
        "input_cache_write_5m": 5,
        "input_cache_write_1h": 5,
        "output": 5,
        "output_reasoning": 5,
    }


def test_a_line_prints_plain_numbers() -> None:
    (line,) = rate_lines(Tokens(output=1), prices(output=Decimal("1E-6")))
    assert (line.rate, line.per, line.amount) == ("0.000001", 1_000_000, "0.000000000001")


@given(tokens, price_lists)
def test_every_line_recomputes(used: Tokens, at: Prices) -> None:
    for line in rate_lines(used, at):
        with localcontext(EXACT):
            recomputed = line.quantity * Decimal(line.rate) / line.per
        assert Decimal(line.amount) == recomputed
        assert line.quantity > 0 and "e" not in (line.rate + line.amount).lower()


@given(tokens, price_lists)
def test_the_cost_is_the_sum_of_the_lines_rounded_once(used: Tokens, at: Prices) -> None:
    assert cost(used, at) == rounded(exact(used, at))


@given(tokens, price_lists)
def test_no_token_is_counted_twice_or_left_out(used: Tokens, at: Prices) -> None:
    quantities = sum(line.quantity for line in rate_lines(used, at))
    assert quantities == sum(getattr(used, name) for name in Tokens.__struct_fields__)


@given(tokens, price_lists)
def test_the_cost_is_never_negative_and_more_tokens_never_cost_less(
    used: Tokens, at: Prices
) -> None:
    more = replace(used, output=used.output + 1, input_cache_read=used.input_cache_read + 1)
    assert 0 <= cost(used, at) <= cost(more, at)


@given(tokens, tokens, flat_price_lists)
def test_without_a_long_context_the_cost_is_additive_in_tokens(
    some: Tokens, more: Tokens, at: Prices
) -> None:
    both = Tokens(
        **{name: getattr(some, name) + getattr(more, name) for name in Tokens.__struct_fields__}
    )
    with localcontext(EXACT):
        assert exact(both, at) == exact(some, at) + exact(more, at)


@given(st.integers(0, 1000), st.integers(0, 1000), price_lists)
def test_below_the_threshold_the_long_context_price_does_not_matter(
    some: int, more: int, at: Prices
) -> None:
    long = replace(at, long_context_threshold=some + more or 1)
    flat = replace(at, long_context_threshold=None)
    used = Tokens(input_uncached=some + more)
    assert rate_lines(used, long) == rate_lines(used, flat)


@given(tokens, price_lists)
def test_the_cost_can_be_recomputed_from_what_is_stored(used: Tokens, at: Prices) -> None:
    stored = json.encode(rate_lines(used, at))
    assert cost_usd(json.decode(stored, type=tuple[RateLine, ...])) == cost(used, at)
