"""How figures are written in Prometheus text."""

from collections.abc import Sequence
from itertools import accumulate


def buckets(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    """Return a histogram's buckets; ``counts`` are those between two bounds each."""
    names = [*(str(float(bound)) for bound in bounds), "+Inf"]
    return list(zip(names, map(float, accumulate(counts)), strict=True))
