"""The published client's own cost calculations, where its vectors lie beside this repository."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import json

from llmring_core.registry import Catalogue, read_file
from llmring_core.usage import Tokens, cost_usd, rate_lines
from tests.unit.registry.builders import catalogue, entry, published, snapshot

SIBLINGS = [folder / "shared" / "data" for folder in Path(__file__).parents]
DATA = next((data for data in SIBLINGS if (data / "cost_vectors.json").is_file()), Path())
if not DATA.name:
    pytest.skip(
        "there is no shared/data/cost_vectors.json beside this repository; "
        "tests/vectors/costs.json covers the same rules",
        allow_module_level=True,
    )
PAGES = {"anthropic": 9, "google": 5, "openai": 7}  # the editions the vectors were made with
FLOAT_NOISE = Decimal("1e-12")

# The client prices neither. We price a bare name that only one provider has, on purpose (see
# below), and are never asked about a call without counts.
OTHERWISE = {"bad_reference", "no_usage"}
CASES = [
    case
    for case in json.decode((DATA / "cost_vectors.json").read_bytes())["cases"]
    if case["name"] not in OTHERWISE
]


@pytest.fixture(scope="module")
def published_prices() -> Catalogue:
    files = []
    for provider, page in PAGES.items():
        body = (DATA / "registry" / provider / "v" / str(page) / "models.json").read_bytes()
        assert read_file(provider, body).source.version == page
        files.append((provider, body))
    return Catalogue(snapshot(*files))


def disjoint(usage: dict[str, Any]) -> Tokens:
    """Return the client's counts, which overlap, as counts that do not."""
    counts = {name: int(value or 0) for name, value in usage.items()}
    cached = counts.get("cache_read_input_tokens") or counts.get("cached_tokens", 0)
    written_1h = counts.get("cache_creation_1h_tokens", 0)
    written = counts.get("cache_creation_input_tokens", 0)  # the client prices the rest as 5m
    output, reasoning = counts["completion_tokens"], counts.get("reasoning_tokens", 0)
    return Tokens(
        input_uncached=max(counts["prompt_tokens"] - cached, 0),
        input_cache_read=cached,
        input_cache_write_5m=max(written - written_1h, counts.get("cache_creation_5m_tokens", 0)),
        input_cache_write_1h=written_1h,
        # More reasoning than output: the client charges both. Over HTTP we refuse such a call.
        output=output - reasoning if reasoning <= output else output,
        output_reasoning=reasoning,
    )


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_we_charge_what_the_client_shows(case: dict[str, Any], published_prices: Catalogue) -> None:
    prices, (provider, model) = published_prices, case["model"].split(":")
    if "rates" in case:
        nothing = {name: None for name in entry() if name.startswith("dollars_")}
        rates = {name: exactly(value) for name, value in case["rates"].items()}
        prices = catalogue((provider, published(provider, m=entry(**(nothing | rates)))))
    quote = prices.quote(provider, model)
    ours = None if quote is None else cost_usd(rate_lines(disjoint(case["usage"]), quote.prices))
    if case["cost"] is None:
        assert ours is None
    else:
        assert ours is not None
        assert abs(ours - Decimal(case["cost"]["total_cost"])) <= FLOAT_NOISE


def exactly(value: object) -> object:
    return Decimal(str(value)) if isinstance(value, float) else value


def test_a_bare_model_name_is_priced_where_the_client_gives_up(published_prices: Catalogue) -> None:
    assert published_prices.quote("", "gpt-4o-mini") == published_prices.quote(
        "openai", "gpt-4o-mini"
    )
