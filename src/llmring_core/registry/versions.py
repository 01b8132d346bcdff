"""Rule: how snapshots are named. ``YYYY.MM.DD``, then ``.2``, ``.3`` on the same day.

A plain number N, as in the public registry, stands for the Nth edition of every provider's file.
"""

import re
from datetime import date
from typing import TypeAlias

from llmring_core.registry.errors import VersionNotFound

Order: TypeAlias = tuple[date, int]

_NAME = re.compile(r"(\d{4})\.(\d{2})\.(\d{2})(?:\.([2-9]|[1-9]\d{1,3}))?", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


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


def number_of(version: str) -> int | None:
    """Return the N of a version named as the providers count their files, None for a date."""
    return int(version) if _NUMBER.fullmatch(version) else None


def is_version(version: str) -> bool:
    """Whether a version can have this name, of either kind."""
    if number_of(version) is not None:
        return True
    try:
        order_of(version)
    except VersionNotFound:
        return False
    return True


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
