"""What no field's rule can find: a key that comes twice, text that is none, a nest too deep.

The decoder keeps the last of two equal keys, so that whoever reads the first sees another bill; and
it skips over members it does not know, whatever they hold.
"""

import json as standard
import re
from collections.abc import Iterable, Sequence

from msgspec import json

from llmring_http.problems import FieldError, Unprocessable

MAX_DEPTH = 32  # arrays and objects within each other, the outermost included
OFFSET = re.compile(r"\(byte (\d+)\)")


def check_structure(body: bytes) -> None:
    """Raises Unprocessable, naming the key or the place, when ``body`` is not sound JSON."""
    value = plain_json(body)
    members = _members(value, 1)
    # Every member has a colon of its own, so where there are no more colons than members, none was
    # dropped for another of its name. Texts may hold colons too: then each key is looked at.
    if members != body.count(b":"):
        standard.loads(body, object_pairs_hook=_check_keys)


def plain_json(body: bytes) -> object:
    """Read JSON without a type. Raises Unprocessable."""
    try:
        return json.decode(body)
    except UnicodeDecodeError:
        raise _malformed(_first_wrong_byte(body), "must be UTF-8") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        found = OFFSET.search(str(error))
        raise _malformed(int(found[1]) if found else len(body), str(error)) from None


def _members(value: object, depth: int) -> int:
    """Count the members of all objects in ``value``. Raises Unprocessable below 32 levels."""
    if isinstance(value, dict):
        return len(value) + _members_in(value.values(), depth)
    if isinstance(value, list):
        return _members_in(value, depth)
    return 0


def _members_in(items: Iterable[object], depth: int) -> int:
    if depth > MAX_DEPTH:
        raise _too_deep()
    count = 0
    for item in items:
        if item.__class__ is dict or item.__class__ is list:  # most are neither: no call for them
            count += _members(item, depth + 1)
    return count


def _check_keys(pairs: Sequence[tuple[str, object]]) -> None:
    keys: set[str] = set()
    for key, _ in pairs:
        if key in keys:
            rule = "must be given once"
            raise Unprocessable([FieldError(type="value_error", loc=["body", key], msg=rule)])
        keys.add(key)


def _first_wrong_byte(body: bytes) -> int:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(body)  # the bytes are right, and escapes in them stand for no text


def _too_deep() -> Unprocessable:
    message = f"must not be nested more than {MAX_DEPTH} levels deep"
    return Unprocessable([FieldError(type="value_error", loc=["body"], msg=message)])


def _malformed(offset: int, reason: str) -> Unprocessable:
    message = f"JSON decode error: {reason}"
    return Unprocessable([FieldError(type="json_invalid", loc=["body", offset], msg=message)])
