"""A dictionary that can take back what was done to it since the transaction began.

A transaction over dictionaries writes at once and remembers how to undo: its cost is that of the
change, not that of copying everything stored.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

Journal = list[Callable[[], object]]  # how to undo, in the order it was done


def undo(journal: Journal) -> None:
    """Take everything in ``journal`` back, the last first, and empty it."""
    while journal:
        journal.pop()()


class JournaledDict(dict[Key, Value], Generic[Key, Value]):
    """A dictionary whose ``[key] = value`` and ``del [key]`` are journaled.

    Values are immutable; a key that comes back comes last.
    """

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def __setitem__(self, key: Key, value: Value) -> None:
        if key in self:
            before = self[key]
            self._journal.append(lambda: dict.__setitem__(self, key, before))
        else:
            self._journal.append(lambda: dict.__delitem__(self, key))
        super().__setitem__(key, value)

    def __delitem__(self, key: Key) -> None:
        before = self[key]
        self._journal.append(lambda: dict.__setitem__(self, key, before))
        super().__delitem__(key)
