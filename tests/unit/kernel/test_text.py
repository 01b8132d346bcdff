"""Text that every backend stores as it came."""

import pytest

from llmring_core.errors import InvalidField
from llmring_core.text import check_name, check_text


@pytest.mark.parametrize("value", [None, "", "é" * 5, "\U0001f600" * 5, "\u2028", "a\tb\n", "\x7f"])
def test_may_hold_anything_a_database_keeps(value: str | None) -> None:
    check_text("alias", value, 5)


@pytest.mark.parametrize("value", ["123456", "\U0001f600" * 6, "a\0", "\ud800", "é\udfff"])
def test_is_refused_when_it_would_not_come_back_the_same(value: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        check_text("alias", value, 5)
    assert refusal.value.field == "alias"


def test_a_name_is_not_empty() -> None:
    check_name("model", "m", 5)
    with pytest.raises(InvalidField, match="must not be empty"):
        check_name("model", "", 5)
    with pytest.raises(InvalidField, match="at most 5"):
        check_name("model", "123456", 5)
