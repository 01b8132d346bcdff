"""Leaving an answer unfinished, so that its reader sees that it is.

ASGI has no word for it: an application that returns early is taken for a mistake, and one whose
caller takes nothing cannot let go of what was written. So the server lends us its connection.
"""

from collections.abc import Callable
from typing import TypeAlias, cast

from litestar.types import Scope

CUT = "llmring.cut"  # the scope's extension; its ``cut`` is told whether to drop what was written

Extensions: TypeAlias = dict[str, dict[str, Callable[[bool], None]]]


def cut(scope: Scope, at_once: bool = False) -> None:
    """Close the connection; ``at_once`` also when its other end does not read.

    Under a server that does not lend it, whoever returns then without an end has the same effect.
    """
    extensions = cast(Extensions, scope.get("extensions") or {})
    if CUT in extensions:
        extensions[CUT]["cut"](at_once)
