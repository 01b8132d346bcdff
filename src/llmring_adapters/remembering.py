"""Asking a store once for what many want to know, and not again for a moment."""

from asyncio import Task, create_task, shield
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic
from typing import TypeVar

MAX_ENTRIES = 10_000

Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")


def remembered(
    find: Callable[[Key], Awaitable[Found | None]],
    ttl_s: float = 1.0,
    time_s: Callable[[], float] = monotonic,
) -> Callable[[Key], Awaitable[Found | None]]:
    """Return ``find``, remembering each thing found for ``ttl_s`` seconds.

    So a change is in force everywhere after at most that long. What is not found is not remembered:
    a thing made a moment ago is there at once. Requests that want the same at the same moment ask
    once.
    """
    known: dict[Key, tuple[Found, float]] = {}  # what was found, good until
    asking: dict[Key, Task[Found | None]] = {}  # what all who want it now wait for

    async def ask(key: Key) -> Found | None:
        good_until = time_s() + ttl_s  # counted from before the read: never older than told
        try:
            found = await find(key)
        finally:
            del asking[key]
        if found is None:
            known.pop(key, None)
            return None
        if len(known) >= MAX_ENTRIES:
            known.clear()
        known[key] = found, good_until
        return found

    async def find_remembered(key: Key) -> Found | None:
        entry = known.get(key)
        if entry is not None and time_s() < entry[1]:
            return entry[0]
        if key not in asking:
            asking[key] = create_task(ask(key))
        return await shield(asking[key])  # whoever leaves does not take the answer along

    return find_remembered
