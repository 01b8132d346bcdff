"""Who is asked in place of a provider that failed."""

import pytest

from llmring_core.gateway.forwarding import order, pause_s


@pytest.mark.parametrize(
    ("first", "fallbacks", "expected"),
    [
        ("a", (), ("a",)),
        ("a", ("b", "c"), ("a", "b", "c")),
        ("a", ("a", "b"), ("a", "b")),
        ("b", ("a", "b", "c"), ("b", "c")),
        ("a", ("a", "a", "b"), ("a", "a", "b")),
    ],
)
def test_those_after_the_one_that_was_asked(
    first: str, fallbacks: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert order(first, fallbacks) == expected


@pytest.mark.parametrize(
    ("asked", "following", "wait_s"),
    [
        (("a",), "b", 0.0),
        (("a",), "a", 0.25),
        (("a", "a"), "a", 0.5),
        (("a", "b"), "a", 0.0),
        (("a",) * 9, "a", 2.0),
    ],
)
def test_only_the_same_one_is_given_time(
    asked: tuple[str, ...], following: str, wait_s: float
) -> None:
    assert pause_s(asked, following) == wait_s
