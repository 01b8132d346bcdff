"""Cursors are opaque, safe in a URL, and only ours are taken."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmring_core.errors import InvalidField
from llmring_core.pages import cursor_of, key_of

URL_SAFE = {*string.ascii_letters, *string.digits, "-", "_"}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_cursor_gives_its_key_back_and_is_safe_in_a_url(key: str) -> None:
    cursor = cursor_of(key)
    assert set(cursor) <= URL_SAFE
    assert key_of(cursor) == key


@pytest.mark.parametrize(
    "cursor", ["A", "!!!!", "é", "_w", "YQ==", "YQ ", "Y\nQ", "YR", "\0", "/w"]
)
def test_anything_else_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidField, match="cursor"):
        key_of(cursor)


@given(st.text())
def test_no_text_at_all_is_worse_than_refused(text: str) -> None:
    try:
        key = key_of(text)
    except InvalidField:
        return
    assert cursor_of(key) == text
