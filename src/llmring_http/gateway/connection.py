"""What ASGI has no word for: leaving an answer unfinished, slow readers, callers who leave.

An application that returns early is taken for a mistake; one whose caller takes nothing cannot let
go of what was written; and who wants to know whether a caller is still there has to keep asking. So
the server lends us its connection.
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias, cast

from litestar.types import Scope

LENT = "llmring"  # the scope's extension, and its only member ``connection``


class Connection(Protocol):
    """A caller's connection, while its request is being answered."""

    def cut(self, at_once: bool) -> None:
        """Close it, so that the answer is seen to be unfinished.

        ``at_once``: also what was written and not read is dropped.
        """

    def is_paused(self) -> bool:
        """Tell whether sending waits, because the other end does not read."""

    def on_left(self, then: Callable[[], None] | None) -> None:
        """Call ``then`` when the caller leaves, or has left already; None: nobody asks any more."""


class NotLent(Connection):
    """Under another server: whoever returns without an end has the same effect as a cut."""

    def cut(self, at_once: bool) -> None: ...

    def is_paused(self) -> bool:
        return True  # nobody knows

    def on_left(self, then: Callable[[], None] | None) -> None: ...


Extensions: TypeAlias = dict[str, dict[str, Connection]]


def connection_of(scope: Scope) -> Connection:
    extensions = cast(Extensions, scope.get("extensions") or {})
    return extensions[LENT]["connection"] if LENT in extensions else NotLent()
