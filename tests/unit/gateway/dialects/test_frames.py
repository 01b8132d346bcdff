"""Cutting a stream: every byte comes out again, and where it is cut hangs on the bytes alone."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmring_core.gateway.dialects import Frame, Frames, JsonItems, SseFrames
from llmring_core.gateway.dialects.frames import BOM, data_of
from tests.unit.gateway.dialects.streams import STREAMS, bytes_of, cut, cutter

TRICKY = st.lists(st.sampled_from([b"\r", b"\n", b"data: a", b":", b"{", b"}", b"[", b"]"]))
JSONISH = st.lists(st.sampled_from([b'"', b"\\", b"{", b"}", b"[", b"]", b",", b"a", b"\n"]))


def split(stream: bytes, at: list[int]) -> list[bytes]:
    places = [0, *sorted(place % (len(stream) + 1) for place in at), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(places)]


@pytest.mark.parametrize("case", STREAMS.values(), ids=STREAMS)
def test_a_cut_anywhere_changes_nothing(case: dict[str, Any]) -> None:
    stream = bytes_of(case)
    whole = cut(cutter(case), [stream])
    assert b"".join(frame.raw for frame in whole) == stream
    for place in range(len(stream)):
        assert cut(cutter(case), [stream[:place], stream[place:]]) == whole
    assert cut(cutter(case), [bytes([byte]) for byte in stream]) == whole


@given(TRICKY, st.lists(st.integers(0, 10**6), max_size=8))
def test_line_ends_of_every_kind_are_cut_alike_however_they_arrive(
    parts: list[bytes], at: list[int]
) -> None:
    stream = b"".join(parts)
    whole = cut(SseFrames(), [stream])
    assert b"".join(frame.raw for frame in whole) == stream
    assert cut(SseFrames(), split(stream, at)) == whole


@given(JSONISH, st.lists(st.integers(0, 10**6), max_size=8))
def test_what_is_hardly_json_is_cut_alike_however_it_arrives(
    parts: list[bytes], at: list[int]
) -> None:
    stream = b"".join(parts)
    whole = cut(JsonItems(), [stream])
    assert b"".join(frame.raw for frame in whole) == stream
    assert cut(JsonItems(), split(stream, at)) == whole


@pytest.mark.parametrize(
    ("stream", "frames"),
    [
        (b"data: a\n\ndata: b\n\n", [b"data: a\n\n", b"data: b\n\n"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"data: a\r\n\r\n", b"data: b\r\n\r\n"]),
        (b"data: a\r\rdata: b\r\r", [b"data: a\r\r", b"data: b\r\r"]),
        (b"data: a\r\n\ndata: b\n\rdata: c", [b"data: a\r\n\n", b"data: b\n\r", b"data: c"]),
        (b": on\n\ndata: a\n", [b": on\n\n", b"data: a\n"]),
        (b"", []),
    ],
)
def test_an_event_ends_with_a_blank_line(stream: bytes, frames: list[bytes]) -> None:
    assert [frame.raw for frame in cut(SseFrames(), [stream])] == frames


def test_an_event_leaves_as_soon_as_it_is_complete() -> None:
    frames = SseFrames()
    assert frames.feed(b"data: a\r\n\r") == []
    assert [frame.raw for frame in frames.feed(b"\ndata: b\n")] == [b"data: a\r\n\r\n"]
    assert [frame.raw for frame in frames.feed(b"\n")] == [b"data: b\n\n"]
    assert frames.finish() == []


@pytest.mark.parametrize(
    ("stream", "items"),
    [
        (b'[{"a":"}\\""},\n{"b":[1]}\n]\n', [b'[{"a":"}\\""}', b',\n{"b":[1]}', b"\n]", b"\n"]),
        (b'{"a":{"b":1}}', [b'{"a":{"b":1}}']),
        (b'[{"a":1', [b'[{"a":1']),
        (b"]]}", [b"]]}"]),
    ],
)
def test_an_item_ends_with_its_bracket(stream: bytes, items: list[bytes]) -> None:
    assert [frame.raw for frame in cut(JsonItems(), [stream])] == items


@pytest.mark.parametrize(
    ("raw", "data"),
    [
        (b"data: a\n\n", b"a"),
        (b"data:a\r\n\r\n", b"a"),
        (b"event: x\ndata:  a\n\n", b" a"),
        (b"data: a\ndata\ndata: b\r\rid: 1\n\n", b"a\nb"),
        (BOM + b"data: a\n\n", b"a"),
        (b": data: a\n\n", b""),
        (b"data: a", b"a"),
        (b"data: a\r: b\n\n", b"a"),
        (b"\ndata: a\n\n", b"a"),
    ],
)
def test_the_data_of_an_event(raw: bytes, data: bytes) -> None:
    assert data_of(Frame(raw=raw, form="event")) == data


def test_the_data_of_an_item() -> None:
    assert data_of(Frame(raw=b',\r\n{"a":[]}', form="item")) == b'{"a":[]}'
    assert data_of(Frame(raw=b"\n]", form="item")) == b""


@pytest.mark.parametrize(
    ("frames", "long", "short"),
    [
        (SseFrames(16), b"data: " + b"x" * 40 + b"\n\n", b"data: a\n\n"),
        (JsonItems(16), b'{"a":"' + b"x" * 40 + b'"}', b'{"a":1}'),
    ],
    ids=["events", "items"],
)
@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_what_is_too_long_passes_in_pieces(
    frames: Frames, long: bytes, short: bytes, size: int
) -> None:
    stream = long + short
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
    pieces = cut(frames, chunks)
    assert b"".join(piece.raw for piece in pieces) == stream
    assert all(piece.form == "piece" for piece in pieces[:-1])
    assert pieces[-1].raw == short
    assert pieces[-1].form != "piece"


def test_no_more_is_held_than_was_agreed() -> None:
    frames = SseFrames(16)
    given_back = 0
    for taken in range(1, 1000):
        given_back += sum(len(frame.raw) for frame in frames.feed(b"x"))
        assert taken - given_back <= 16
