"""Rule: when another provider is asked in place of one that failed, and how soon."""

from typing import Final

# Its account is refused, too busy or too poor, or the provider fails. What is wrong with the call
# itself is as wrong elsewhere.
MOVING_ON: Final = frozenset({401, 402, 403, 408, 429, 500, 502, 503, 504, 529})
PAUSE_S: Final = 0.25  # before the same provider is asked again; twice as long each further time
MAX_PAUSE_S: Final = 2.0


def order(first: str, fallbacks: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the providers to be asked, ``first`` first.

    ``fallbacks`` is a project's whole order: who stands before ``first`` is not asked. A name that
    comes again is asked again.
    """
    if first not in fallbacks:
        return (first, *fallbacks)
    return fallbacks[fallbacks.index(first) :]


def pause_s(asked: tuple[str, ...], following: str) -> float:
    """Return how long to wait after ``asked`` were, before ``following`` is."""
    times = 0
    for name in reversed(asked):
        if name != following:
            break
        times += 1
    return min(PAUSE_S * 2 ** (times - 1), MAX_PAUSE_S) if times else 0.0
