"""A registry that goes back, rewrites what it published, or shows nothing new for ever."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from llmring_core.registry import SourceFile, read_file
from llmring_core.registry.refusals import FROZEN_AFTER, frozen_since, refusals
from tests.unit.registry.builders import NOON, entry, published, snapshot

KEPT = snapshot(("openai", published()))
SOURCE = SourceFile(version=7, updated_at="2026-08-18T17:29:16.542543", digest="d" * 64)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (published(), None),
        (published(version=8), None),
        (published("openai", 8, new=entry()), None),
        (published(version=6), "went back from version 7 to 6"),
        (published("openai", 7, new=entry()), "changed version 7 after it was published"),
        (published("openai", 7, m=entry(description="Best model", inactive=False)), None),
        (published() + b"\n", None),
    ],
)
def test_a_file_may_stay_or_go_forward(body: bytes, reason: str | None) -> None:
    expected = {} if reason is None else {"openai": reason}
    assert refusals([read_file("openai", body)], KEPT) == expected


def test_the_first_file_of_a_provider_has_nothing_to_follow() -> None:
    assert refusals([read_file("google", published("google", 1))], KEPT) == {}


def test_a_registry_is_frozen_once_its_newest_file_is_too_old() -> None:
    newest = datetime(2026, 8, 18, 17, 29, 16, 542543, tzinfo=UTC)
    old = replace(SOURCE, updated_at="2025-01-01T00:00:00+02:00")
    sources = [SOURCE, old]
    assert frozen_since(sources, newest + FROZEN_AFTER) is None
    assert frozen_since(sources, newest + FROZEN_AFTER + timedelta(seconds=1)) == newest


@pytest.mark.parametrize(
    "stated", [None, "", "yesterday", "2026-13-01", "0001-01-01T00:00:00+14:00", "9999-12-31"]
)
def test_a_date_that_says_nothing_proves_nothing(stated: str | None) -> None:
    assert frozen_since([replace(SOURCE, updated_at=stated)], NOON) is None


def test_without_files_nothing_is_frozen() -> None:
    assert frozen_since([], NOON) is None
