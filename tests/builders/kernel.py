"""Instants, ids and clocks."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

from llmring_core.ids import NewId, ProjectId

NOON = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
P1 = ProjectId("01890000-0000-7000-8000-000000000001")
P2 = ProjectId("01890000-0000-7000-8000-000000000002")


class FakeClock:
    """A clock that stands still until it is told the time."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, time: timedelta) -> None:
        self.now += time

    @property
    def seconds(self) -> Callable[[], float]:
        """The same clock as a monotonic one."""
        return lambda: (self.now - NOON).total_seconds()


def ids(prefix: int = 0) -> NewId:
    """Return a port that makes 1, 2, 3, ... into canonical ids; another prefix, other ids."""
    numbers = count(1)
    return lambda: f"01980000-{prefix:04x}-7000-8000-{next(numbers):012x}"
