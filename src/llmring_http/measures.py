"""What is counted of requests. Plain integers: the hot path only adds, whoever asks formats."""

from bisect import bisect_left

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
UNKNOWN = "unknown"  # every path and method that is not one of ours: callers invent no labels
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MAX_COUNTERS = 1_000


class Durations:
    """How many requests took how long."""

    __slots__ = ("seconds", "within")

    def __init__(self) -> None:
        self.seconds = 0.0  # all of them together
        self.within = [0] * (len(BOUNDS_S) + 1)  # up to each bound and above the one before it


class RequestMeasures:
    """Requests by method, route template and status, and their durations by route."""

    __slots__ = ("counts", "durations")

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str, int], int] = {}  # status 0: there was no answer
        self.durations: dict[str, Durations] = {}

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        """``route`` is a template of ours, never what a caller wrote."""
        key = (method, route, status)
        count = self.counts.get(key)
        if count is None:
            key, count = self._new(key)
        self.counts[key] = count + 1
        durations = self.durations[route]
        durations.seconds += seconds
        durations.within[bisect_left(BOUNDS_S, seconds)] += 1

    def _new(self, key: tuple[str, str, int]) -> tuple[tuple[str, str, int], int]:
        method, route, status = key
        self.durations.setdefault(route, Durations())
        key = (known(method), route, status)
        if len(self.counts) >= MAX_COUNTERS:  # there are not so many; but labels must have an end
            key = (UNKNOWN, UNKNOWN, status)
        return key, self.counts.get(key, 0)


def known(method: str) -> str:
    """Return ``method``, unless it is one that a caller made up."""
    return method if method in METHODS else UNKNOWN
