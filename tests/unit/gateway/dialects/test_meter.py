"""What answers are read as: the corpus, in every cut and with every line end."""

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import astuple

from llmring_core.gateway.dialects import Dialect, Frame, UsageMeter
from llmring_core.gateway.dialects.frames import BOM
from llmring_core.gateway.dialects.meter import MAX_RAW, MAX_TEXT, RULES
from llmring_core.gateway.dialects.model import MAX_TOKENS
from llmring_core.usage import Tokens
from tests.unit.gateway.dialects.streams import (
    CASES,
    EVENTS,
    STREAMS,
    bytes_of,
    expected,
    metered,
)

MEMBERS = st.sampled_from(
    [
        *("usage", "prompt_tokens", "completion_tokens", "total_tokens", "input_tokens"),
        *("output_tokens", "prompt_tokens_details", "cached_tokens", "cache_creation", "type"),
        *("usageMetadata", "promptTokenCount", "candidatesTokenCount", "cachedContentTokenCount"),
        *("choices", "candidates", "delta", "message", "response", "model", "error", "content"),
        *("finish_reason", "reasoning_tokens", "completion_tokens_details", "parts", "output"),
    ]
)
NUMBERS = st.integers(-(10**20), 10**20) | st.integers(0, 99) | st.floats(allow_nan=False)
HOSTILE = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5) | MEMBERS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(MEMBERS, inner, max_size=6),
    max_leaves=30,
)


def event(data: bytes) -> Frame:
    return Frame(raw=b"data: " + data + b"\n\n", form="event")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_reads_what_came(case: dict[str, Any]) -> None:
    meter = UsageMeter(case["dialect"])
    if case["framing"] == "body":
        meter.body(bytes_of(case))
    else:
        meter = metered(case, [bytes_of(case)])
    assert meter.reading() == expected(case)
    assert meter.said().text == case.get("said", meter.said().text)


@pytest.mark.parametrize("case", STREAMS.values(), ids=STREAMS)
def test_a_cut_anywhere_changes_nothing(case: dict[str, Any]) -> None:
    stream = bytes_of(case)
    for place in range(len(stream)):
        meter = metered(case, [stream[:place], stream[place:]])
        assert meter.reading() == expected(case)


@pytest.mark.parametrize("line_end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize("case", EVENTS.values(), ids=EVENTS)
def test_line_ends_and_a_byte_order_mark_change_nothing(
    case: dict[str, Any], line_end: bytes
) -> None:
    stream = BOM + bytes_of(case).replace(b"\r\n", b"\n").replace(b"\n", line_end)
    assert metered(case, [stream]).reading() == expected(case)


@pytest.mark.parametrize("case", STREAMS.values(), ids=STREAMS)
def test_tells_at_any_time_and_never_less_than_before(case: dict[str, Any]) -> None:
    stream = bytes_of(case)
    for place in range(0, len(stream), 7):
        reading = metered(case, [stream[:place]]).reading()
        assert reading.source == ("missing" if reading.flaw else "provider")
        assert reading.source == "provider" or reading.tokens == Tokens()
        assert not reading.terminal or expected(case).terminal


@given(st.sampled_from(sorted(RULES)), st.lists(HOSTILE, max_size=4))
def test_no_json_breaks_it_or_is_billed_as_nonsense(dialect: Dialect, answers: list[Any]) -> None:
    meter = UsageMeter(dialect)
    for answer in answers:
        meter.frame(event(json.encode(answer)))
    meter.body(json.encode(answers[0] if answers else {}))
    reading = meter.reading()
    meter.said()
    counts = astuple(reading.tokens)
    assert min(counts) >= 0
    assert sum(counts) <= 5 * MAX_TOKENS
    assert reading.source == "provider" or not sum(counts)


@given(st.sampled_from(sorted(RULES)), st.lists(st.binary(max_size=200), max_size=4))
def test_no_bytes_break_it(dialect: Dialect, answers: list[bytes]) -> None:
    meter = UsageMeter(dialect)
    for answer in answers:
        meter.frame(Frame(raw=answer, form="event"))
        meter.frame(Frame(raw=answer, form="item"))
    meter.body(b"".join(answers))
    assert meter.reading().source == "missing"


def test_the_last_usage_decides() -> None:
    meter = UsageMeter("openai-chat")
    good = b'{"usage":{"prompt_tokens":3,"completion_tokens":4}}'
    for data, source in [
        (good, "provider"),
        (b'{"usage":{"prompt_tokens":-3}}', "missing"),
        (good, "provider"),
        (b'{"usage":7}', "missing"),
        (good, "provider"),
    ]:
        meter.frame(event(data))
        assert meter.reading().source == source


def test_an_escaped_name_is_read_all_the_same() -> None:
    meter = UsageMeter("openai-chat")
    meter.frame(event(b'{"model":"m"}'))
    meter.frame(event(b'{"us\\u0061ge":{"prompt_tokens":3,"completion_tokens":4}}'))
    assert meter.reading().tokens == Tokens(input_uncached=3, output=4)


def test_a_mark_in_the_text_is_no_mark() -> None:
    meter = UsageMeter("openai-chat")
    meter.frame(event(b'{"model":"m","choices":[{"delta":{"content":"[DONE]"}}]}'))
    assert not meter.reading().terminal


@pytest.mark.parametrize("raw", [b"data: [DONE]\n\n", b"data:[DONE]\r\n\r\n", b"data: [DONE] \n\n"])
def test_the_mark_may_stand_among_blanks(raw: bytes) -> None:
    meter = UsageMeter("openai-chat")
    meter.frame(Frame(raw=raw, form="event"))
    assert meter.reading().terminal


def test_what_was_too_long_to_read_is_told() -> None:
    meter = UsageMeter("openai-responses")
    meter.frame(Frame(raw=b'data: {"response":{"model":"m"}}\n\n', form="piece"))
    reading = meter.reading()
    assert (reading.unread, reading.model) == (1, None)


@pytest.mark.parametrize("model", ["", "x" * 256, "a\0b", 7, None, "\ud800"])
def test_a_model_that_cannot_be_stored_is_none(model: object) -> None:
    meter = UsageMeter("openai-embeddings")
    body = json.encode({"model": "?", "usage": {"prompt_tokens": 1}})
    name = b'"\\ud800"' if model == "\ud800" else json.encode(model)
    meter.body(body.replace(b'"?"', name))
    assert meter.reading().model is None


def test_text_is_kept_up_to_a_bound() -> None:
    meter = UsageMeter("openai-chat")
    frame = event(json.encode({"choices": [{"delta": {"content": "x" * 100_000}}]}))
    for _ in range(12):
        meter.frame(frame)
    said = meter.said()
    assert len(said.text) == MAX_TEXT
    assert len(said.text) + said.beyond == 1_200_000


def test_few_frames_are_held_for_their_text() -> None:
    frame = event(json.encode({"id": "x" * 1000, "choices": [{"delta": {"content": "a"}}]}))
    meter = UsageMeter("openai-chat")
    tracemalloc.start()
    for _ in range(2000):
        meter.frame(Frame(raw=bytes(bytearray(frame.raw)), form="event"))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 4 * MAX_RAW
    assert meter.said().text == "a" * 2000


@pytest.mark.parametrize("dialect", sorted(RULES))
def test_an_answer_nested_too_deep_is_not_read(dialect: Dialect) -> None:
    meter = UsageMeter(dialect)
    meter.body(b'{"usage":' * 100_000)
    assert meter.reading().unread == 1
