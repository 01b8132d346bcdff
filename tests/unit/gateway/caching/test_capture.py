"""An answer is kept whole, byte by byte as it came, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmring_core.gateway.caching import MAX_PIECES, CachePolicy, Capture, capture_of
from tests.builders.caching import PIECES, a_call


def captured(
    pieces: list[bytes], max_bytes: int = 100, length: int | None = None, whole: bool = True
) -> tuple[bytes, ...] | None:
    capture = Capture(max_bytes, length)
    for piece in pieces:
        capture.feed(piece)
    return capture.finished(whole)


@given(st.lists(st.binary(max_size=5), max_size=20))
def test_pieces_come_back_as_they_came(pieces: list[bytes]) -> None:
    found = captured(pieces)
    assert found == tuple(piece for piece in pieces if piece)


@given(st.binary(max_size=10), st.integers(0, 10), st.none() | st.integers(0, 10), st.booleans())
def test_what_is_kept_is_whole_and_within_its_bound(
    body: bytes, limit: int, length: int | None, whole: bool
) -> None:
    found = captured([body[:3], body[3:]], limit, length, whole)
    is_fine = whole and len(body) <= limit and length in (None, len(body))
    assert (found is not None) is is_fine
    assert found is None or b"".join(found) == body


def test_a_stream_that_breaks_off_is_not_kept_wherever_it_does() -> None:
    for end in range(len(PIECES) + 1):
        assert captured(list(PIECES[:end]), whole=False) is None


def test_what_is_too_large_is_let_go_of_at_once() -> None:
    capture = Capture(5, None)
    capture.feed(b"12345")
    assert not capture.is_over
    capture.feed(b"6")
    assert capture.is_over
    assert capture.finished(True) is None


def test_more_pieces_than_fit_are_not_kept() -> None:
    assert captured([b"x"] * MAX_PIECES, MAX_PIECES + 1) is not None
    assert captured([b"x"] * (MAX_PIECES + 1), MAX_PIECES + 1) is None


def test_a_buffer_that_is_used_again_does_not_change_what_was_kept() -> None:
    capture, buffer = Capture(10, None), bytearray(b"abc")
    capture.feed(buffer)
    buffer[:] = b"xyz"
    assert capture.finished(True) == (b"abc",)


@pytest.mark.parametrize(
    ("method", "body", "is_kept"),
    [("GET", b"123", True), ("GET", b"12", False), ("GET", b"1234", False), ("HEAD", b"", True)],
)
def test_the_announced_length_is_the_bodys_where_there_is_one(
    method: str, body: bytes, is_kept: bool
) -> None:
    policy = CachePolicy(max_object_bytes=4)
    capture = capture_of(a_call(method=method), [(b"content-length", b"3")], policy)
    capture.feed(body)
    assert (capture.finished(True) is not None) is is_kept
