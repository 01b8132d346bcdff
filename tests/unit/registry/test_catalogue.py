"""By which names a model finds its price."""

from decimal import Decimal

import pytest

from llmring_core.registry import Prices
from tests.unit.registry.builders import PRICE, catalogue, entry, published, snapshot

SHARED = catalogue(
    (
        "openai",
        published(
            gpt=entry(model_aliases=["gpt-latest", "either"]),
            old=entry(is_active=False, model_aliases=["older"]),
            both=entry(),
            unpriced=entry(**{f"{PRICE}input": None}),
            no_output=entry(**{f"{PRICE}output": None}),
        ),
    ),
    (
        "google",
        published(
            "google",
            gem=entry(model_aliases=["gem-latest", "gpt", "unpriced"]),
            zed=entry(model_aliases=["either", "gem-latest"]),
            both=entry(),
        ),
    ),
)


@pytest.mark.parametrize(
    ("provider", "model", "found"),
    [
        ("openai", "gpt", "openai:gpt"),
        ("openai", "openai:gpt", "openai:gpt"),
        ("anything", "openai:gpt", "openai:gpt"),
        ("azure", "gpt", "openai:gpt"),
        ("", "openai/gpt", "openai:gpt"),
        ("openrouter", "google/gem", "google:gem"),
        ("openai", "old", "openai:old"),
        ("openai", "both", "openai:both"),
        ("google", "both", "google:both"),
        ("openai", "gpt-latest", "openai:gpt"),
        ("azure", "gpt-latest", "openai:gpt"),
        ("", "openai:gpt-latest", "openai:gpt"),
        ("google", "gem-latest", "google:zed"),
        ("openai", "either", "openai:gpt"),
        ("google", "either", "google:zed"),
        ("azure", "either", "google:zed"),
        ("google", "gpt", "openai:gpt"),
    ],
)
def test_a_model_is_found_by_each_of_its_names(provider: str, model: str, found: str) -> None:
    quote = SHARED.quote(provider, model)
    assert quote is not None and quote.model == found


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "nope"),
        ("azure", "both"),
        ("openai", "older"),
        ("openai", "unpriced"),
        ("google", "unpriced"),
        ("openai", "no-output"),
        ("openai", ""),
        ("", ""),
        ("openai", "GPT"),
    ],
)
def test_a_model_nobody_can_price_has_no_quote(provider: str, model: str) -> None:
    assert SHARED.quote(provider, model) is None


def test_a_bare_name_goes_before_a_spelling_with_a_slash() -> None:
    files = [
        ("openai", published(**{"google/gem": entry()})),
        ("google", published("google", gem=entry())),
    ]
    quote = catalogue(*files).quote("azure", "google/gem")
    assert quote is not None and quote.model == "openai:google/gem"


def test_a_quote_states_every_price_and_where_it_comes_from() -> None:
    named = {
        "input": "3.0",
        "output": "15.0",
        "cached_input": "0.31",
        "cache_read": "0.3",
        "cache_write_5m": "3.75",
        "cache_write_1h": "6",
        "input_long_context": "6.0",
        "output_long_context": "22.5",
        "output_thinking": "0.000000000001",
    }
    prices = {name: Decimal(price) for name, price in named.items()}
    long_context = {
        "supports_long_context_pricing": True,
        "long_context_threshold_tokens": 200_000,
    }
    facts = entry(**{PRICE + name: price for name, price in prices.items()}, **long_context)
    kept = snapshot(("openai", published(m=facts)))
    quote = catalogue(("openai", published(m=facts))).quote("openai", "m")
    assert quote is not None
    assert quote.prices == Prices(**prices, long_context_threshold=200_000)
    assert (quote.registry_version, quote.registry_digest) == (kept.version, kept.digest)


@pytest.mark.parametrize("supported", [False, None])
def test_a_threshold_counts_only_where_long_context_has_its_own_price(
    supported: bool | None,
) -> None:
    facts = entry(supports_long_context_pricing=supported, long_context_threshold_tokens=200_000)
    quote = catalogue(("openai", published(m=facts))).quote("openai", "m")
    assert quote is not None and quote.prices.long_context_threshold is None


def test_a_name_is_looked_up_without_making_a_new_quote() -> None:
    assert SHARED.quote("openai", "gpt") is SHARED.quote("", "openai/gpt")
