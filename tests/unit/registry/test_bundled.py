"""The snapshot in the package: a machine that never sees the network prices common models."""

import pytest
import rfc8785
from msgspec import json

from llmring_adapters.registry.bundled import bundled_snapshot
from llmring_core.registry import Catalogue, digest_of

BUNDLED = Catalogue(bundled_snapshot())


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-4o"),
        ("openai", "gpt-4o-mini"),
        ("anthropic", "claude-opus-4-1-20250805"),
        ("anthropic", "claude-haiku-4-5"),
        ("google", "gemini-2.5-pro"),
    ],
)
def test_gpt_claude_and_gemini_have_a_price(provider: str, model: str) -> None:
    quote = BUNDLED.quote(provider, model)
    assert quote is not None and quote.prices.input > 0


def test_its_bytes_are_canonical_and_its_digest_is_theirs() -> None:
    kept = bundled_snapshot()
    assert rfc8785.dumps(json.decode(kept.document)).decode() == kept.document
    assert digest_of(kept.document) == kept.digest


def test_it_is_named_after_the_day_of_the_newest_file() -> None:
    kept = bundled_snapshot()
    newest = max(source.updated_at or "" for source in kept.sources.values())
    assert kept.version == newest[:10].replace("-", ".") == f"{kept.published_at:%Y.%m.%d}"


def test_it_holds_facts_and_no_prose() -> None:
    for facts in BUNDLED.select().models.values():
        assert facts["description"] is None and not facts.get("recommended_use_cases")
        assert facts["display_name"]
