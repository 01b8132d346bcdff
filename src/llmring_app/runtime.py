"""What Python itself does in this process."""

import gc
import os
from asyncio import all_tasks
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import active_count
from time import perf_counter

STATM = Path("/proc/self/statm")  # Linux; in pages: all, resident, of these shared with files


class Pauses:
    """How long the cycle collector kept everything else waiting."""

    __slots__ = ("_began", "seconds")

    def __init__(self) -> None:
        self._began = 0.0
        self.seconds = 0.0

    def __call__(self, phase: str, _: dict[str, int]) -> None:
        """Python calls it at the start and the stop of each run."""
        if phase == "start":
            self._began = perf_counter()
        else:
            self.seconds += perf_counter() - self._began


@asynccontextmanager
async def pauses_counted(pauses: Pauses) -> AsyncIterator[None]:
    """Let ``pauses`` add up while the block runs."""
    gc.callbacks.append(pauses)
    try:
        yield
    finally:
        gc.callbacks.remove(pauses)


def collections() -> int:
    """How often the cycle collector ran."""
    return sum(generation["collections"] for generation in gc.get_stats())


def running() -> int:
    """How many threads and tasks there are, in the event loop that asks."""
    return active_count() + len(all_tasks())


def memory() -> tuple[int, int] | None:
    """Return the bytes this process has in memory, and how many no file backs; Linux only."""
    try:
        _, resident, shared, *_ = map(int, STATM.read_text().split())
    except OSError:
        return None
    page = os.sysconf("SC_PAGE_SIZE")
    return resident * page, (resident - shared) * page
