"""A stream without the frame that only its meter asked for."""

import pytest

from llmring_core.gateway.dialects import WithoutUsageFrame
from llmring_core.gateway.dialects.hiding import MAX_HELD

TEXT = b'data: {"id":"c","choices":[{"delta":{"content":"\\"choices\\":[1"}}],"usage":null}\n\n'
FILTERED = b'data: {"choices":[],"prompt_filter_results":[],"usage":null}\n\n'
USAGE = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n'
COMMENT = b": waiting\n\n"
DONE = b"data: [DONE]\n\n"
STREAM = [COMMENT, FILTERED, TEXT, TEXT, USAGE, DONE]


def shown(stream: bytes, size: int) -> bytes:
    without = WithoutUsageFrame()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    return b"".join(map(without.feed, pieces)) + without.finish()


@pytest.mark.parametrize("ends", [b"\n\n", b"\r\n\r\n", b"\r\r"], ids=repr)
def test_every_byte_but_its_own_stays_however_it_is_cut(ends: bytes) -> None:
    stream, kept = (
        b"".join(frame for frame in STREAM if frame is not left_out).replace(b"\n\n", ends)
        for left_out in (None, USAGE)
    )
    for size in [*range(1, 41), len(stream)]:
        assert shown(stream, size) == kept


def test_whole_frames_leave_at_once() -> None:
    without = WithoutUsageFrame()
    assert [without.feed(frame) for frame in STREAM] == [
        b"" if frame is USAGE else frame for frame in STREAM
    ]


def test_a_frame_that_has_a_choice_does_not_wait_for_its_end() -> None:
    without = WithoutUsageFrame()
    begun = TEXT[: TEXT.index(b"{", 10) + 1]
    assert without.feed(begun) == begun[:-2]  # which might begin a blank line
    assert without.feed(b"more") == begun[-2:] + b"mo"


def test_no_more_is_held_back_than_its_frame_may_take() -> None:
    without = WithoutUsageFrame()
    begun = b'data: {"choices":[],"usage":{"x":"'
    given = without.feed(begun) + without.feed(b"x" * MAX_HELD)
    assert given == (begun + b"x" * MAX_HELD)[:-2]
    assert without.feed(b'"}}\n\n') == b'xx"}}\n\n'


def test_what_breaks_off_is_given_as_far_as_it_came() -> None:
    assert shown(TEXT + USAGE[:30], 7) == TEXT + USAGE[:30]
