"""Port: long computations that must not keep others waiting."""

from collections.abc import Callable
from typing import Protocol, TypeVar

Result = TypeVar("Result")


class Aside(Protocol):
    """Runs pure work where nothing else waits for it, such as a thread."""

    async def __call__(self, work: Callable[[], Result], /) -> Result: ...
