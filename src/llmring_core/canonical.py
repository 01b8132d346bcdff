"""JSON that says one thing only: read without loss, written in the one form that is signed.

Source: RFC 8785.
"""

from collections.abc import Mapping, Sequence
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
        return rfc8785.dumps(value)  # type: ignore[arg-type]  # it checks by itself
    except (ValueError, RecursionError) as error:
        raise NotCanonical("must be what RFC 8785 can write") from error


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
    match value:
        case Mapping() | list() if depth > MAX_DEPTH:
            raise NotCanonical(f"must not be nested more than {MAX_DEPTH} levels deep")
        case Mapping():
            return {str(key): _exact(item, depth + 1) for key, item in value.items()}
        case list():
            return [_exact(item, depth + 1) for item in value]
        case Decimal():
            return _double(value)
        case int() if abs(value) > MAX_INTEGER:
            raise NotCanonical("has an integer of 2^53 or more")
    return value


def _double(value: Decimal) -> float:
    double = float(value)
    if not isfinite(double) or Decimal(repr(double)) != value:
        raise NotCanonical("has a number with more digits than a double carries")
    return double


_decoder = JSONDecoder(object_pairs_hook=_members, parse_float=Decimal, parse_constant=_no_number)
