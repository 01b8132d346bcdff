"""The most a call may come to."""

from decimal import Decimal

import pytest
from msgspec import json
from msgspec.structs import replace

from llmring_core.gateway.most import USUAL_OUTPUT, most_of
from tests.builders.registry import QUOTE

CHAT = "/v1/chat/completions"
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
    ("members", "output"),
    [
        ({}, 4000),
        ({"max_tokens": 10}, 10),
        ({"max_completion_tokens": 20, "max_tokens": 10}, 20),
        ({"max_output_tokens": 30}, 30),
        ({"generationConfig": {"maxOutputTokens": 40, "candidateCount": 2}}, 80),
        ({"max_tokens": 10, "n": 3}, 30),
        ({"max_tokens": -1}, 4000),
        ({"max_tokens": "10"}, 4000),
        ({"max_tokens": True, "n": 0}, 4000),
        ({"generationConfig": []}, 4000),
    ],
)
def test_its_answer_is_as_long_as_it_allows_or_the_model_can(
    members: dict[str, object], output: int
) -> None:
    sent = body(**members)

    assert most_of(CHAT, sent, MODEL).tokens == len(sent) + output


def test_each_part_costs_what_its_dearest_kind_of_token_does() -> None:
    sent = body(max_tokens=100)
    prices = replace(PRICES, cache_write_1h=Decimal(4), output_thinking=Decimal(10))

    assert most_of(CHAT, sent, MODEL).usd == (len(sent) * 2 + 100 * 8) / Decimal(10**6)
    dearer = most_of(CHAT, sent, replace(MODEL, prices=prices))
    assert dearer.usd == (len(sent) * 4 + 100 * 10) / Decimal(10**6)


def test_embeddings_write_nothing() -> None:
    assert most_of("/v1/embeddings", body(input="a"), MODEL).tokens == len(body(input="a"))


def test_nobody_knows_what_an_unpriced_model_comes_to() -> None:
    most = most_of(CHAT, body(), None)

    assert (most.usd, most.tokens) == (None, len(body()) + USUAL_OUTPUT)


@pytest.mark.parametrize("sent", [None, b"", b"{", b"[]", b"[" * 100_000])
def test_a_body_that_says_nothing_limits_nothing(sent: bytes | None) -> None:
    assert most_of(CHAT, sent, MODEL).tokens == len(sent or b"") + 4000


def test_no_number_is_too_large() -> None:
    most = most_of(CHAT, body(max_tokens=100_000_000, n=100_000_000), MODEL)

    assert (most.tokens, most.usd) == (2**53 - 1, Decimal(1_000_000))
