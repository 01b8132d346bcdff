"""Prices, quotes and a price list."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from llmring_core.registry import CurrentRegistry, ModelKey, Prices, Quote

PRICES = Prices(
    input=Decimal("0.15"),
    output=Decimal("0.6"),
    cached_input=Decimal("0.075"),
    cache_read=None,
    cache_write_5m=None,
    cache_write_1h=None,
    input_long_context=None,
    output_long_context=None,
    output_thinking=None,
    long_context_threshold=None,
)
QUOTE = Quote(
    model=ModelKey("openai:gpt-4o-mini"),
    prices=PRICES,
    registry_version="2026.11.20",
    registry_digest="d1" * 32,
)


def prices(**changes: Any) -> Prices:
    return replace(PRICES, **changes)


def quote(**changes: Any) -> Quote:
    return replace(QUOTE, **changes)


class PriceList(CurrentRegistry):
    """The prices in force; a test may change them."""

    def __init__(self, quotes: Mapping[str, Quote] | None = None) -> None:
        self.quotes = {"openai:gpt-4o-mini": QUOTE} if quotes is None else dict(quotes)

    def quote(self, provider: str, model: str) -> Quote | None:
        return self.quotes.get(f"{provider}:{model}")
