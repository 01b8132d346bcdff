"""The most a call may come to."""

from decimal import Decimal
from typing import Final

import pytest
from msgspec import json
from msgspec.structs import replace

from llmring_core.gateway.dialects import Dialect
from llmring_core.gateway.forwarding import ParamNotAllowed
from llmring_core.gateway.most import USUAL_OUTPUT, most_of
from tests.builders.registry import QUOTE

CHAT: Final = "openai-chat"
PRICES = replace(
    QUOTE.prices,
    input=Decimal(2),
    output=Decimal(8),
    cache_write_5m=None,
    cache_write_1h=None,
    output_thinking=None,
    long_context_threshold=None,
)
MODEL = replace(QUOTE, prices=PRICES, max_output_tokens=4000)


def body(**members: object) -> bytes:
    return json.encode({"model": "m"} | members)


@pytest.mark.parametrize(
    ("dialect", "members", "output"),
    [
        (CHAT, {}, 4000),
        (CHAT, {"max_tokens": 10}, 10),
        (CHAT, {"max_completion_tokens": 20, "max_tokens": 10}, 20),
        (CHAT, {"max_tokens": 10, "n": 3, "best_of": 5}, 50),
        (CHAT, {"max_tokens": 10, "prompt": ["a", "b", "c"]}, 30),
        (CHAT, {"max_tokens": 10, "prompt": [1, 2, 3]}, 10),
        (CHAT, {"max_tokens": 10, "prompt": [[1], [2]]}, 20),
        (CHAT, {"max_tokens": -1}, 4000),
        (CHAT, {"max_tokens": "10"}, 4000),
        (CHAT, {"max_tokens": True, "n": 0}, 4000),
        ("openai-responses", {"max_output_tokens": 30}, 30),
        ("anthropic-messages", {"max_tokens": 40}, 40),
        ("gemini", {"generationConfig": {"maxOutputTokens": 40, "candidateCount": 2}}, 80),
        ("gemini", {"generation_config": {"max_output_tokens": 40, "candidate_count": 2}}, 80),
        ("gemini", {"generationConfig": []}, 4000),
    ],
)
def test_its_answer_is_as_long_as_it_allows_or_the_model_can(
    dialect: Dialect, members: dict[str, object], output: int
) -> None:
    sent = body(**members)

    assert most_of(dialect, sent, MODEL).tokens == len(sent) + output


@pytest.mark.parametrize(
    ("dialect", "members"),
    [
        (CHAT, {"max_output_tokens": 1}),
        (CHAT, {"generationConfig": {"maxOutputTokens": 1}}),
        ("openai-responses", {"max_tokens": 1, "max_completion_tokens": 1}),
        ("anthropic-messages", {"max_completion_tokens": 1}),
        ("gemini", {"max_tokens": 1}),
        (None, {"max_tokens": 1}),
    ],
)
def test_a_limit_that_its_provider_does_not_read_limits_nothing(
    dialect: Dialect | None, members: dict[str, object]
) -> None:
    sent = body(**members)

    assert most_of(dialect, sent, MODEL).tokens == len(sent) + 4000


def test_a_limit_that_stands_twice_is_none() -> None:
    for name in (b"max_tokens", b"n", b"generationConfig"):
        sent = b'{"model":"m","%b":100000,"%b":1}' % (name, name)
        with pytest.raises(ParamNotAllowed, match="must be given once"):
            most_of(CHAT, sent, MODEL)


def test_each_part_costs_what_its_dearest_kind_of_token_does() -> None:
    sent = body(max_tokens=100)
    prices = replace(PRICES, cache_write_1h=Decimal(4), output_thinking=Decimal(10))

    assert most_of(CHAT, sent, MODEL).usd == (len(sent) * 2 + 100 * 8) / Decimal(10**6)
    dearer = most_of(CHAT, sent, replace(MODEL, prices=prices))
    assert dearer.usd == (len(sent) * 4 + 100 * 10) / Decimal(10**6)


def test_embeddings_write_nothing() -> None:
    assert most_of("openai-embeddings", body(input="a"), MODEL).tokens == len(body(input="a"))


def test_nobody_knows_what_an_unpriced_model_comes_to() -> None:
    most = most_of(CHAT, body(), None)

    assert (most.usd, most.tokens) == (None, len(body()) + USUAL_OUTPUT)


@pytest.mark.parametrize("sent", [None, b"", b"{", b"[]", b"[" * 100_000])
def test_a_body_that_says_nothing_limits_nothing(sent: bytes | None) -> None:
    assert most_of(CHAT, sent, MODEL).tokens == len(sent or b"") + 4000


def test_no_number_is_too_large() -> None:
    most = most_of(CHAT, body(max_tokens=100_000_000, n=100_000_000), MODEL)

    assert (most.tokens, most.usd) == (2**53 - 1, Decimal(1_000_000))
