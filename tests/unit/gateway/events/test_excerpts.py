"""An event has the beginning of a body, however it comes."""

from hypothesis import given
from hypothesis import strategies as st

from llmring_core.gateway.events.excerpts import MAX_PIECES, Excerpt


@given(st.lists(st.binary(max_size=6), max_size=8), st.integers(0, 20))
def test_it_is_the_beginning_and_says_whether_that_is_all(pieces: list[bytes], most: int) -> None:
    excerpt = Excerpt(most)
    for piece in pieces:
        excerpt.feed(piece)

    body = b"".join(pieces)
    assert excerpt.taken() == body[:most]
    assert excerpt.is_truncated == (len(body) > most)


def test_it_holds_no_more_pieces_than_it_may() -> None:
    excerpt = Excerpt(10 * MAX_PIECES)
    for _ in range(2 * MAX_PIECES):
        excerpt.feed(b"x")

    assert len(excerpt.taken()) <= MAX_PIECES + 1
    assert excerpt.is_truncated
