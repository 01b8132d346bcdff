"""How every list is cut: a page of items, and an opaque cursor to the next one."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Generic, TypeVar

from msgspec import Struct

from llmring_core.errors import InvalidField

Item = TypeVar("Item")

PAGE_DEFAULT = 50  # items
PAGE_MAX = 500  # items


class PageRequest(Struct, frozen=True, kw_only=True):
    """Which page of a list is meant: by position, or by the cursor of the one before."""

    limit: int = PAGE_DEFAULT
    offset: int = 0  # items
    cursor: str | None = None


class Page(Struct, Generic[Item], frozen=True, kw_only=True):
    """Some items, and where the next ones start; ``next`` is None on the last page."""

    items: list[Item]
    next: str | None


def cursor_of(key: str) -> str:
    """Return the opaque form of a sort key, safe in a URL."""
    return urlsafe_b64encode(key.encode()).decode().rstrip("=")


def key_of(cursor: str) -> str:
    """Return the sort key inside ``cursor``. Raises InvalidField when it is none of ours."""
    try:
        key = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        raise InvalidField("cursor", "must be the value of a previous page's next cursor") from None
    if cursor_of(key) != cursor:
        raise InvalidField("cursor", "must be the value of a previous page's next cursor")
    return key
