"""Counting what a provider does not tell."""

from collections.abc import Sequence

import pytest
from msgspec import json
from msgspec.structs import replace

from llmring_core.gateway.dialects import (
    Dialect,
    Prompt,
    Reading,
    Said,
    TokenCounter,
    UsageMeter,
    estimated,
    prompt_in,
)
from llmring_core.gateway.dialects.model import MAX_TOKENS
from llmring_core.usage import Tokens
from tests.unit.gateway.dialects.streams import CASES, bytes_of, metered

NOTHING = Prompt(texts=(), messages=0, counted=0)


class WordCounter(TokenCounter):
    """A token a word, so that a test can count them."""

    def count(self, model: str, texts: Sequence[str]) -> int:  # noqa: ARG002
        return sum(len(text.split()) for text in texts)


def estimate(name: str, prompt: Prompt) -> Reading:
    case = CASES[name]
    meter = metered(case, [bytes_of(case)])
    dialect = case["dialect"]
    return estimated(meter.reading(), dialect, prompt, meter.said(), "gpt-4o", WordCounter())


@pytest.mark.parametrize(
    ("request_", "texts", "messages", "counted"),
    [
        (
            {
                "model": "gpt-4o",
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "What is it?"},
                            {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}},
                        ],
                    },
                    {
                        "role": "assistant",
                        "tool_calls": [
                            {"id": "c", "type": "function", "function": {"arguments": "{}"}}
                        ],
                    },
                ],
            },
            {"Be brief.", "What is it?", "{}"},
            3,
            0,
        ),
        (
            {"system": "Short.", "messages": [{"content": "Hi", "role": "user"}]},
            {"Short.", "Hi"},
            1,
            0,
        ),
        ({"instructions": "I", "input": "what"}, {"I", "what"}, 0, 0),
        ({"input": ["a", "b"]}, {"a", "b"}, 0, 0),
        ({"input": [[1, 2, 3], [4]]}, set(), 0, 4),
        (
            {
                "contents": [
                    {
                        "role": "user",
                        "parts": [
                            {"text": "Wo?"},
                            {"inlineData": {"mimeType": "image/png", "data": "iVBOR"}},
                        ],
                    }
                ],
                "systemInstruction": {"parts": [{"text": "Kurz."}]},
            },
            {"Wo?", "Kurz."},
            1,
            0,
        ),
        (
            {"prompt": "Once", "tools": [{"name": "ä"}]},
            {"Once", '[{"name":"ä"}]'},
            0,
            0,
        ),
        ([], set(), 0, 0),
        ({"messages": 7}, set(), 0, 0),
    ],
)
def test_a_prompt_is_all_the_text_a_model_reads(
    request_: object, texts: set[str], messages: int, counted: int
) -> None:
    prompt = prompt_in(json.encode(request_))
    assert {text for text in prompt.texts if text} == texts
    assert (prompt.messages, prompt.counted) == (messages, counted)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"messages":' + b"[" * 100_000])
def test_a_request_that_cannot_be_read_has_no_prompt(body: bytes) -> None:
    assert prompt_in(body) == NOTHING


def test_what_a_provider_told_in_full_stays() -> None:
    reading = estimate("openai-chat-usage-last.sse", Prompt(texts=("a",), messages=1, counted=0))
    assert reading.source == "provider"
    assert reading.tokens.input_uncached == 86


def test_what_it_did_not_tell_is_counted_and_marked() -> None:
    prompt = Prompt(texts=("one two", "three"), messages=2, counted=0)
    reading = estimate("openai-chat-no-usage.sse", prompt)
    assert reading.source == "estimated"
    assert reading.tokens == Tokens(input_uncached=3 + 2 * 3 + 3, output=2)
    assert reading.flaw == "no usage came"


def test_tokens_sent_as_numbers_count_as_they_are() -> None:
    prompt = Prompt(texts=("one",), messages=0, counted=4)
    reading = estimate("openai-embeddings-body-no-usage.json", prompt)
    assert reading.tokens == Tokens(input_uncached=5)


def test_of_an_answer_cut_short_the_input_is_the_providers() -> None:
    reading = estimate("anthropic-cut.sse", Prompt(texts=("a b c d",), messages=1, counted=0))
    told = Tokens(
        input_uncached=25,
        input_cache_read=1000,
        input_cache_write_5m=200,
        input_cache_write_1h=100,
        output=2,
    )
    assert (reading.source, reading.tokens) == ("estimated", told)


def test_of_an_answer_cut_short_the_output_is_never_less_than_told() -> None:
    reading = estimate("openai-chat-usage-every-frame-cut.sse", NOTHING)
    assert (reading.source, reading.tokens.output) == ("estimated", 3)


def test_of_an_answer_cut_short_reasoning_is_not_counted_twice() -> None:
    reading = estimate("gemini-array-cut.json", NOTHING)
    assert (reading.tokens.output, reading.tokens.output_reasoning) == (3, 90)


def test_no_count_is_more_than_a_call_can_have() -> None:
    reading = UsageMeter("openai-chat").reading()
    said = Said(text="", beyond=10**15)
    huge = Prompt(texts=(), messages=10**15, counted=0)
    found = estimated(reading, "openai-chat", huge, said, "m", WordCounter())
    assert found.tokens == Tokens(input_uncached=MAX_TOKENS, output=MAX_TOKENS)


@pytest.mark.parametrize(("dialect", "framed"), [("openai-responses", 6), ("openai-embeddings", 0)])
def test_a_prompt_that_is_one_text_is_one_message(dialect: Dialect, framed: int) -> None:
    reading = UsageMeter(dialect).reading()
    said = Said(text="", beyond=0)
    prompt = Prompt(texts=("a b",), messages=0, counted=0)
    found = estimated(reading, dialect, prompt, said, "m", WordCounter())
    assert found.tokens == Tokens(input_uncached=2 + framed)


@pytest.mark.parametrize("dialect", ["openai-chat", "gemini"])
def test_text_that_was_not_kept_counts_by_its_length(dialect: Dialect) -> None:
    reading = UsageMeter(dialect).reading()
    said = Said(text="a b", beyond=401)
    found = estimated(reading, dialect, NOTHING, said, "m", WordCounter())
    assert found.tokens.output == 2 + 100
    whole = replace(reading, source="provider", final=True)
    assert estimated(whole, dialect, NOTHING, said, "m", WordCounter()) == whole
