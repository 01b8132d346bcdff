"""JSON that says one thing only: read without loss, written in the one form that is signed.

Source: RFC 8785.
"""

from collections.abc import Sequence
from decimal import Decimal
from json import JSONDecoder
from math import isfinite
from typing import ClassVar, NoReturn

import rfc8785
from msgspec import json

from llmring_core.errors import Invalid

MAX_BYTES = 512 * 1024  # a receipt that names ten thousand logs has fewer
MAX_DEPTH = 16  # objects and arrays within each other
MAX_INTEGER = 2**53 - 1  # the largest that every reader keeps exactly


class NotCanonical(Invalid):
    """The document can be read in more than one way, or cannot be written in the signed form."""

    code: ClassVar[str] = "not-canonical"


def document_in(text: bytes, max_bytes: int = MAX_BYTES) -> dict[str, object]:
    """Read a JSON object. Raises NotCanonical when a member comes twice, or a number loses digits.

    Numbers become int or float, as they are written.
    """
    if len(text) > max_bytes:
        raise NotCanonical(f"must have at most {max_bytes} bytes")
    try:
        json.decode(text)  # stricter than what follows, which takes NaN and more
        value = _decoder.decode(text.decode())
    except (ValueError, RecursionError) as error:
        raise NotCanonical(f"must be JSON: {error}") from error
    document = _exact(value, 1)
    if not isinstance(document, dict):
        raise NotCanonical("must be a JSON object")
    return document


def canonical(value: object) -> bytes:
    """Return the RFC 8785 form of ``value``. Raises NotCanonical when it has none."""
    try:
        if _is_simple(value):
            return _sorted.encode(value)
        return rfc8785.dumps(value)  # type: ignore[arg-type]  # it checks by itself
    except (ValueError, RecursionError) as error:
        raise NotCanonical("must be what RFC 8785 can write") from error


def _is_simple(value: object) -> bool:
    """Whether any JSON encoder that sorts writes ``value`` as RFC 8785 does, ten times as fast.

    What is left to the library that knows all of it: fractions, whose digits JavaScript chooses,
    integers too large, and names beyond ASCII, which UTF-16 sorts in another order.
    """
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return -MAX_INTEGER <= value <= MAX_INTEGER  # type: ignore[operator]  # it is an int
    if kind is dict:
        members: dict[object, object] = value  # type: ignore[assignment]  # it is a dict
        return all(type(name) is str and name.isascii() for name in members) and all(
            _is_simple(member) for member in members.values()
        )
    if kind is list or kind is tuple:
        return all(_is_simple(item) for item in value)  # type: ignore[attr-defined]  # it is one
    return False


def _members(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise NotCanonical(f"has the member {twice[:60]!r} twice")
    return members


def _no_number(literal: str) -> NoReturn:
    raise NotCanonical(f"{literal} is no number")


def _exact(value: object, depth: int) -> object:
    """Return ``value`` with doubles for fractions, where a double says exactly the same."""
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise NotCanonical("has an integer of 2^53 or more")
        return value
    if isinstance(value, Decimal):
        return _double(value)
    if depth > MAX_DEPTH:
        raise NotCanonical(f"must not be nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        return {name: _exact(member, depth + 1) for name, member in value.items()}
    if isinstance(value, list):
        return [_exact(item, depth + 1) for item in value]
    return value


def _double(value: Decimal) -> float:
    double = float(value)
    if not isfinite(double) or Decimal(repr(double)) != value:
        raise NotCanonical("has a number with more digits than a double carries")
    return double


_sorted = json.Encoder(order="deterministic")
_decoder = JSONDecoder(object_pairs_hook=_members, parse_float=Decimal, parse_constant=_no_number)
