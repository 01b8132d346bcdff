"""Rule: how snapshots are named. ``YYYY.MM.DD``, then ``.2``, ``.3`` on the same day."""

import re
from datetime import date
from typing import TypeAlias

from llmring_core.registry.errors import VersionNotFound

Order: TypeAlias = tuple[date, int]

_NAME = re.compile(r"(\d{4})\.(\d{2})\.(\d{2})(?:\.([2-9]|[1-9]\d{1,3}))?", re.ASCII)


def order_of(version: str) -> Order:
    """Return what sorts versions by age: the day, then the number within it.

    Raises: VersionNotFound when no snapshot can have this name.
    """
    found = _NAME.fullmatch(version)
    if found is None:
        raise VersionNotFound
    year, month, day, number = found.groups(default="1")
    try:
        return date(int(year), int(month), int(day)), int(number)
    except ValueError:
        raise VersionNotFound from None


def version_of(order: Order) -> str:
    """Return the name for a day's first, second, ... snapshot."""
    day, number = order
    return f"{day:%Y.%m.%d}" if number == 1 else f"{day:%Y.%m.%d}.{number}"


def next_version(latest: str, today: date) -> str:
    """Return the name after ``latest``: today's first, or one more on the day of ``latest``.

    A clock that runs behind must not publish into the past.
    """
    day, number = order_of(latest)
    return version_of((today, 1) if today > day else (day, number + 1))
