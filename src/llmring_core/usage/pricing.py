"""Rule: what a call costs."""

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Final

from llmring_core.money import DECIMALS, EXACT, plain, rounded
from llmring_core.registry import Prices
from llmring_core.usage.model import RateLine, Tokens

PER_DECIMALS: Final = 6
PER: Final = 10**PER_DECIMALS  # tokens; the registry's prices are US dollars per million
AMOUNT_DECIMALS: Final = DECIMALS + PER_DECIMALS  # a line is never rounded
ONE: Final = 10**AMOUNT_DECIMALS


def rate_lines(tokens: Tokens, prices: Prices) -> tuple[RateLine, ...]:
    """Return the bill of one call, a line for each kind of token it used.

    Cached reads cost the cache-read price, else the cached-input price, else the input price; of
    these a price of 0 counts as none, as published clients count it. Uncached input above the
    long-context threshold costs the long-context price: the part above it only. Reasoning costs
    the thinking price where there is one, else the output price.

    Source: the cost rule of the published llmring clients 1.2 to 1.4, in exact decimals.
    """
    long_context = 0
    if prices.long_context_threshold:
        long_context = max(tokens.input_uncached - prices.long_context_threshold, 0)
    cached = prices.cache_read or prices.cached_input or prices.input
    write_5m = prices.cache_write_5m or Decimal(0)
    write_1h = prices.cache_write_1h or Decimal(0)
    priced = (
        ("input_uncached", tokens.input_uncached - long_context, prices.input),
        ("input_long_context", long_context, prices.input_long_context or prices.input),
        ("input_cache_read", tokens.input_cache_read, cached),
        ("input_cache_write_5m", tokens.input_cache_write_5m, write_5m),
        ("input_cache_write_1h", tokens.input_cache_write_1h, write_1h),
        ("output", tokens.output, prices.output),
        ("output_reasoning", tokens.output_reasoning, prices.output_thinking or prices.output),
    )
    return tuple([_line(unit, quantity, rate) for unit, quantity, rate in priced if quantity])


def cost_usd(lines: Sequence[RateLine]) -> Decimal:
    """Return the sum of ``lines`` in US dollars, rounded half-even to 12 decimals once."""
    attos = 0
    for line in lines:
        attos += line.quantity * _stated(line.rate)[0]
    return rounded(Decimal(attos).scaleb(-AMOUNT_DECIMALS, EXACT))


def _line(unit: str, quantity: int, rate: Decimal) -> RateLine:
    picos, text = _stated(rate)
    whole, fraction = divmod(quantity * picos, ONE)
    amount = f"{whole}.{fraction:0{AMOUNT_DECIMALS}d}".rstrip("0") if fraction else str(whole)
    return RateLine(unit=unit, quantity=quantity, rate=text, per=PER, amount=amount)


@lru_cache(4096)  # a snapshot has a few hundred different rates
def _stated(rate: Decimal | str) -> tuple[int, str]:
    """Return ``rate`` in 10⁻¹² dollars, and as it stands on a bill."""
    exact = Decimal(rate)
    picos = EXACT.scaleb(exact, DECIMALS)
    if picos % 1:
        raise ValueError("a price finer than 10⁻¹² US dollars")
    return int(picos), plain(exact)
