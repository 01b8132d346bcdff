"""Rule: which values of a call's parameters are allowed; the value looked at is the value sent."""

import json as standard
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from msgspec import Raw, json

from llmring_core.gateway.forwarding.errors import ParamNotAllowed
from llmring_core.gateway.forwarding.paths import glob_pattern

MODEL = "model"
QUOTE = ord('"')
MAX_SHOWN = 100  # characters of a value in an error
# A second member of the name needs at least its quotes, colon, comma and a value.
SHORTEST_MEMBER = len(',"":1')

Members = dict[str, Raw]
Allowed = Mapping[str, tuple[str, ...]]


def members_of(body: bytes) -> Members | None:
    """Return the members of a JSON object, undecoded; None when ``body`` is none."""
    try:
        return json.decode(body, type=Members)
    except (ValueError, RecursionError):
        return None


def text_of(value: Raw) -> str:
    """Return a value as a configuration would write it: a string's text, else its JSON."""
    try:
        return json.decode(value, type=str)
    except ValueError:
        return bytes(value).decode("utf-8", "replace")


def model_of(members: Members | None) -> str | None:
    """Return the model a call names; None when it names none, or not as text."""
    value = None if members is None else members.get(MODEL)
    if value is None or memoryview(value)[0] != QUOTE:
        return None
    return text_of(value)


def check_once(body: bytes, members: Members, names: Iterable[str]) -> None:
    """Raises ParamNotAllowed when one of ``names`` comes twice, or that cannot be told.

    The decoder keeps the last of two equal keys; a provider may well read the first.
    """
    names = frozenset(names)
    kept = (
        sum(len(key.encode()) + memoryview(value).nbytes + 4 for key, value in members.items()) + 1
    )
    if len(body) - kept < min(map(len, names), default=0) + SHORTEST_MEMBER:
        return  # what is left is too short to be a second one
    doubled: list[str] = []

    def look(pairs: list[tuple[str, object]]) -> dict[str, object]:
        keys = [key for key, _ in pairs]
        doubled[:] = [key for key in names if keys.count(key) > 1]  # the outermost comes last
        return {}

    try:
        text = body.decode("utf-8", "replace")
        standard.loads(text, object_pairs_hook=look, parse_int=str)  # however many digits
    except (ValueError, RecursionError):
        raise ParamNotAllowed("The body must be JSON, and not nested too deep", None) from None
    if doubled:
        raise ParamNotAllowed(f"Parameter '{doubled[0]}' must be given once", doubled[0])


def check_body(allowed: Allowed, members: Members | None) -> None:
    """Raises ParamNotAllowed; also for a body in which nothing can be looked up."""
    if not allowed:
        return
    if members is None:
        names = ", ".join(allowed)
        raise ParamNotAllowed(
            f"The body must be a JSON object, so that {names} can be checked", None
        )
    for name, value in members.items():
        if name in allowed:
            check_value(name, text_of(value), allowed[name])
        else:
            _check_spelling(name, allowed)


def check_query(allowed: Allowed, query: str) -> None:
    """Raises ParamNotAllowed for a parameter in the address."""
    if not allowed or not query:
        return
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in allowed:
            check_value(name, value, allowed[name])
        else:
            _check_spelling(name, allowed)


def check_value(name: str, value: str, globs: tuple[str, ...]) -> None:
    """Raises ParamNotAllowed."""
    if not any(glob_pattern(glob).fullmatch(value) for glob in globs):
        shown = " ".join(globs)
        raise ParamNotAllowed(
            f"Parameter '{name}' value '{value[:MAX_SHOWN]}' is not allowed. "
            f"Allowed patterns: [{shown}]",
            name,
        )


def _check_spelling(name: str, allowed: Allowed) -> None:
    """Some providers read ``Model`` as ``model``, and would take it for the one that counts."""
    meant = name.strip().casefold()
    if meant in allowed:
        raise ParamNotAllowed(f"Parameter '{meant}' must be spelt so", meant)
