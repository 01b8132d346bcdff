"""What is counted of the gateway's calls."""

from decimal import Decimal
from typing import Any

import pytest

from llmring_adapters.gateway.counts import GatewayCounts
from llmring_core.usage import Tokens


def attempted(counts: GatewayCounts, provider: str = "openai", **changes: Any) -> None:
    usual: dict[str, Any] = {
        "outcome": "complete",
        "tokens": Tokens(input_uncached=2**53, output_reasoning=1),
        "cost_usd": Decimal("0.000000000001"),
        "first_byte_s": 0.05,
        "duration_s": 1.5,
    }
    counts.attempted(provider, **usual | changes)


@pytest.mark.parametrize(("status", "errors"), [(200, 0), (204, 0), (304, 0), (400, 1), (503, 1)])
def test_an_answer_from_400_on_is_an_error(status: int, errors: int) -> None:
    counts = GatewayCounts()

    counts.answered(status)

    assert (counts.answers, counts.errors) == (1, errors)


def test_calls_add_up_by_provider_outcome_and_kind() -> None:
    counts = GatewayCounts()
    for _ in range(3):
        attempted(counts)
    attempted(counts, outcome="upstream_error", tokens=Tokens(), cost_usd=None)
    attempted(counts, "anthropic")

    openai = counts.providers["openai"]
    assert dict(openai.outcomes) == {"complete": 3, "upstream_error": 1}
    assert openai.tokens["input_uncached"] == 3 * 2**53
    assert openai.tokens["output_reasoning"] == 3 and openai.tokens["output"] == 0
    assert openai.cost_usd == Decimal("0.000000000003")
    assert counts.providers["anthropic"].outcomes.total() == 1


def test_a_call_without_an_answer_has_no_first_byte() -> None:
    counts = GatewayCounts()
    attempted(counts)
    attempted(counts, first_byte_s=None, duration_s=1000.0)

    openai = counts.providers["openai"]
    assert sum(openai.first_bytes.within) == 1 and openai.first_bytes.within[0] == 1
    assert sum(openai.durations.within) == 2 and openai.durations.within[-1] == 1
    assert openai.durations.total == 1001.5
