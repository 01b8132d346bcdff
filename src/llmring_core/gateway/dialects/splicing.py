"""Rule: how a member of a request is found and replaced; every other byte stays."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from msgspec import json

_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_MARK: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_SCALAR: Final = re.compile(rb"[^\s,}\]]+")
_BETWEEN: Final = re.compile(rb"[\s,:]*")


class Member(NamedTuple):
    """Where a member's value stands."""

    name: str
    start: int
    end: int


def with_model(body: bytes, model: str) -> bytes | None:
    """Return a request for ``model`` in place of the one it names; None when it names none.

    ``body`` is known to be a JSON object.
    """
    found = only(body, 0, "model")
    return None if found is None else spliced(body, found.start, json.encode(model), found.end)


def spliced(body: bytes, start: int, new: bytes, end: int | None = None) -> bytes:
    """Return ``body`` with ``new`` at ``start``, in place of what stands there until ``end``."""
    return body[:start] + new + body[start if end is None else end :]


def only(body: bytes, at: int, name: str) -> Member | None:
    """Return the member of that name in the first object from ``at`` on, unless there are two."""
    found = [member for member in _members(body, body.index(b"{", at)) if member.name == name]
    return found[0] if len(found) == 1 else None


def _members(body: bytes, brace: int) -> Iterator[Member]:
    """Return the members of the object that opens at ``brace``; ``body`` is known to be JSON."""
    at = _after_gap(body, brace + 1)
    while body[at] != ord("}"):
        end = _value_end(body, at)
        name = json.decode(body[at:end], type=str)
        start = _after_gap(body, end)
        end = _value_end(body, start)
        yield Member(name, start, end)
        at = _after_gap(body, end)


def _after_gap(body: bytes, at: int) -> int:
    gap = _BETWEEN.match(body, at)
    return gap.end() if gap else at


def _value_end(body: bytes, at: int) -> int:
    opening = body[at : at + 1]
    if opening == b'"' or opening not in b"{[":
        scalar = (_STRING if opening == b'"' else _SCALAR).match(body, at)
        return scalar.end() if scalar else len(body)
    depth = 0
    for mark in _MARK.finditer(body, at):
        depth += (mark[0] in b"{[") - (mark[0] in b"}]")
        if not depth:
            return mark.end()
    return len(body)
