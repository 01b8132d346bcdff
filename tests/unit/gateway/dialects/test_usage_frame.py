"""Asking for a stream's usage without touching the rest of the request."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from llmring_core.gateway.dialects import (
    Frame,
    SseFrames,
    asked,
    asking_for_usage,
    is_usage_frame,
)
from tests.unit.gateway.dialects.streams import CASES, bytes_of, cut

ADDED = b'"stream_options":{"include_usage":true},'
KEYS = st.sampled_from(["a", "stream_option", 'x"}', "\\", "include_usage", "é", "messages"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
WITHOUT = st.dictionaries(KEYS, VALUES, max_size=4)
OPTIONS = st.none() | st.dictionaries(KEYS, VALUES, max_size=3)


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b' {"stream":true}', b" {" + ADDED + b'"stream":true}'),
        (b'{"stream":true,"n":1.0e5}\n', b"{" + ADDED + b'"stream":true,"n":1.0e5}\n'),
        (
            b'{"stream":true,"stream_options":null,"big":123456789012345678901234567890}',
            b'{"stream":true,"stream_options":{"include_usage":true},'
            b'"big":123456789012345678901234567890}',
        ),
        (
            b'{"stream_options" : { } ,"stream":true}',
            b'{"stream_options" : {"include_usage":true } ,"stream":true}',
        ),
        (
            b'{"a":"\\"stream_options\\":{","stream":true,"stream_options":{"b":[{}]}}',
            b'{"a":"\\"stream_options\\":{","stream":true,'
            b'"stream_options":{"include_usage":true,"b":[{}]}}',
        ),
        (
            b'{"stream":true,"stream_options":{"x":"}","include_usage" : false}}',
            b'{"stream":true,"stream_options":{"x":"}","include_usage" : true}}',
        ),
        (
            b'{"stream":true,"stream\\u005foptions":{"include_usage":null}}',
            b'{"stream":true,"stream\\u005foptions":{"include_usage":true}}',
        ),
    ],
)
def test_every_other_byte_stays(body: bytes, sent: bytes) -> None:
    assert asking_for_usage(body) == sent


@pytest.mark.parametrize(
    "body",
    [
        b'{"stream":false}',
        b"{}",
        b"[]",
        b"",
        b'{"stream":"true"}',
        b'{"stream":true',
        b'\xef\xbb\xbf{"stream":true}',
        b'{"stream":true,"stream_options":{"include_usage":true}}',
        b'{"stream":true,"stream_options":[]}',
        b'{"stream":true,"stream_options":{},"stream_options":{}}',
        b'{"stream":true,"stream_options":{"include_usage":false,"include_usage":false}}',
        b'{"stream":true,"a":' + b"[" * 100_000,
    ],
)
def test_a_request_to_which_nothing_can_be_added_stays(body: bytes) -> None:
    assert asking_for_usage(body) is None


@given(WITHOUT, OPTIONS, st.sampled_from([None, 1, 4]))
def test_says_what_it_said_and_asks(
    request: dict[str, Any], options: dict[str, Any] | None, indent: int | None
) -> None:
    document = request | {"stream": True, "stream_options": options, "last": [{"z": "]"}]}
    body = json.format(json.encode(document), indent=indent or 0)
    sent = asking_for_usage(body)
    if options and options.get("include_usage") is True:
        assert sent is None
        return
    assert sent is not None
    assert asked("openai-chat", "/v1/chat/completions", sent).wants_usage
    wanted = document | {"stream_options": (options or {}) | {"include_usage": True}}
    assert json.decode(sent) == wanted
    assert asking_for_usage(sent) is None


@given(WITHOUT)
def test_a_request_that_has_no_options_keeps_every_byte(request: dict[str, Any]) -> None:
    body = json.encode(request | {"stream": True})
    sent = asking_for_usage(body)
    assert sent is not None
    assert sent == b"{" + ADDED + body[1:]


def test_only_the_frame_that_was_added_is_taken_out() -> None:
    for name, gone in [
        ("openai-chat-usage-last.sse", 1),
        ("openai-chat-azure.sse", 1),
        ("openai-completions.sse", 1),
        ("openai-chat-comments.sse", 1),
        ("openai-chat-no-usage.sse", 0),
        ("openai-chat-usage-every-frame.sse", 0),
        ("openai-chat-usage-with-last-choice.sse", 0),
    ]:
        frames = cut(SseFrames(), [bytes_of(CASES[name])])
        assert sum(is_usage_frame(frame) for frame in frames) == gone, name


@pytest.mark.parametrize(
    "raw",
    [
        b'data: {"choices":[],"usage":null}\n\n',
        b'data: {"choices":[],"usage":\n\n',
        b'data: {"usage":{}}\n\n',
        b'data: "usage"\n\n',
        b": usage\n\n",
    ],
)
def test_another_frame_stays(raw: bytes) -> None:
    assert not is_usage_frame(Frame(raw=raw, form="event"))


def test_a_piece_of_a_frame_stays() -> None:
    raw = b'data: {"choices":[],"usage":{}}\n\n'
    assert is_usage_frame(Frame(raw=raw, form="event"))
    assert not is_usage_frame(Frame(raw=raw, form="piece"))
