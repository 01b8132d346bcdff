"""Whatever the way to it, the form is the one that RFC 8785 gives."""

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from llmring_core.canonical import MAX_INTEGER, NotCanonical, canonical

any_text = st.text(st.characters())  # lone surrogates too
integers = st.integers(-(2**53) - 2, 2**53 + 2)
plain = st.none() | st.booleans() | integers | st.floats(allow_nan=False) | any_text
documents = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=12,
)


def by_the_library(value: Any) -> bytes | None:
    try:
        return rfc8785.dumps(value)
    except ValueError:
        return None


def ours(value: object) -> bytes | None:
    try:
        return canonical(value)
    except NotCanonical:
        return None


def test_every_character_is_written_as_the_rfc_says() -> None:
    for first in range(0, 0x110000, 0x800):
        text = "".join(map(chr, range(first, first + 0x800)))
        assert ours([text]) == by_the_library([text])


@given(documents)
def test_every_document_is(document: object) -> None:
    assert ours(document) == by_the_library(document)


@pytest.mark.parametrize("number", [MAX_INTEGER, -MAX_INTEGER, MAX_INTEGER + 1, -MAX_INTEGER - 1])
def test_integers_end_where_doubles_do(number: int) -> None:
    assert (ours({"n": number}) is None) == (abs(number) > MAX_INTEGER)


def test_a_tuple_is_an_array() -> None:
    assert canonical((1, "a", (None,))) == b'[1,"a",[null]]'
