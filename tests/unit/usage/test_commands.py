"""What a caller may ask: building the command checks it."""

from decimal import Decimal

import pytest

from llmring_core.errors import InvalidField
from llmring_core.usage import MAX_COUNT, Tokens, UsageToLog
from tests.builders.usage import EVERYTHING, TOKENS, call, selection

LONGEST = 255
BAD_TEXTS = ["x" * (LONGEST + 1), "a\0b", "\ud800"]
OPTIONAL = ["alias", "profile", "origin", "id_at_origin", "client_log_id"]


def nested(depth: int) -> dict[str, object]:
    inside: dict[str, object] = {}
    for _ in range(depth):
        inside = {"": inside}
    return inside


def refused(**changes: object) -> str:
    """Return which field of a call with ``changes`` is refused."""
    with pytest.raises(InvalidField) as refusal:
        call(**changes)
    return refusal.value.field


class TestUsageToLog:
    @pytest.mark.parametrize("name", ["provider", "model", *OPTIONAL])
    @pytest.mark.parametrize("text", BAD_TEXTS, ids=["too long", "NUL", "surrogate"])
    def test_refuses_text_that_would_not_come_back_the_same(self, name: str, text: str) -> None:
        assert refused(**{name: text}) == name

    @pytest.mark.parametrize("name", ["provider", "model", "client_log_id"])
    def test_refuses_an_empty_name(self, name: str) -> None:
        assert refused(**{name: ""}) == name

    @pytest.mark.parametrize("name", OPTIONAL)
    @pytest.mark.parametrize("text", [None, "\U0001f600" * LONGEST, "\u2028\n\t"])
    def test_takes_any_other_text(self, name: str, text: str | None) -> None:
        assert getattr(call(**{name: text}), name) == text

    @pytest.mark.parametrize("name", Tokens.__struct_fields__)
    @pytest.mark.parametrize("count", [-1, MAX_COUNT + 1, 2**63, 10**30])
    def test_refuses_a_count_that_json_would_not_keep(self, name: str, count: int) -> None:
        assert refused(tokens=Tokens(**{name: count})) == name

    @pytest.mark.parametrize("latency_ms", [-1, MAX_COUNT + 1])
    def test_refuses_such_a_latency(self, latency_ms: int) -> None:
        assert refused(latency_ms=latency_ms) == "latency_ms"

    def test_takes_the_largest_counts(self) -> None:
        largest = Tokens(**dict.fromkeys(Tokens.__struct_fields__, MAX_COUNT))
        assert call(tokens=largest, latency_ms=MAX_COUNT).tokens == largest

    @pytest.mark.parametrize(
        "cost",
        [
            "-1E-12",
            "1000000.000000000001",
            "1E-13",
            "0.1234567890123",
            "NaN",
            "sNaN",
            "Infinity",
            "-Infinity",
            "1E+999999",
            "1E-999999",
        ],
    )
    def test_refuses_a_cost_that_cannot_be_kept_exactly(self, cost: str) -> None:
        assert refused(cost_usd=Decimal(cost)) == "cost"

    @pytest.mark.parametrize("cost", ["0", "1E-12", "1000000", "1E+6", "999999.999999999999"])
    def test_takes_every_other_cost(self, cost: str) -> None:
        assert call(cost_usd=Decimal(cost)).cost_usd == Decimal(cost)

    @pytest.mark.parametrize(
        "metadata",
        [
            {"a": "\0"},
            {"\0": 1},
            {"a": ["\\\0"]},
            {"a": "\ud800"},
            {"a": object()},
            {"a": "x" * 16_384},
            nested(100_000),
        ],
        ids=[
            "NUL",
            "NUL in a name",
            "NUL after a backslash",
            "surrogate",
            "no JSON",
            "big",
            "deep",
        ],
    )
    def test_refuses_metadata_that_cannot_be_kept(self, metadata: dict[str, object]) -> None:
        assert refused(metadata=metadata) == "metadata"

    @pytest.mark.parametrize(
        "metadata",
        [
            {},
            {"a": "\\u0000"},
            {"a": "\\\\u0000"},
            {"": {"": [[]]}},
            {"a": "x" * 16_376},
            {"a": 2**64},
        ],
    )
    def test_takes_every_other_metadata(self, metadata: dict[str, object]) -> None:
        assert call(metadata=metadata).metadata == metadata


class TestSelection:
    @pytest.mark.parametrize("name", ["model", "alias", "origin"])
    @pytest.mark.parametrize("text", BAD_TEXTS, ids=["too long", "NUL", "surrogate"])
    def test_refuses_text_that_nothing_can_equal(self, name: str, text: str) -> None:
        with pytest.raises(InvalidField, match=name):
            selection(EVERYTHING.period.start, EVERYTHING.period.end, **{name: text})


class TestTokens:
    def test_their_totals_leave_nothing_out_but_cache_writes(self) -> None:
        assert (TOKENS.input_total, TOKENS.output_total) == (140, 61)

    def test_a_call_without_tokens_is_a_call(self) -> None:
        assert UsageToLog(provider="p", model="m", tokens=Tokens()).tokens.input_total == 0
