"""Rule: how the frame that has a stream's usage is asked for, and taken out again.

A request keeps every byte but those that ask. Source: OpenAI API reference, ``stream_options``.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from msgspec import UNSET, Struct, UnsetType, json

from llmring_core.gateway.dialects.frames import data_of
from llmring_core.gateway.dialects.model import Frame

OPTION: Final = b'"include_usage":true'
OPTIONS: Final = b'{"include_usage":true}'
OPTIONS_MEMBER: Final = b'"stream_options":' + OPTIONS + b","

_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_MARK: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_SCALAR: Final = re.compile(rb"[^\s,}\]]+")
_BETWEEN: Final = re.compile(rb"[\s,:]*")


class Streaming(Struct, frozen=True, kw_only=True):
    stream: object = None
    stream_options: object | UnsetType = UNSET


class Chunk(Struct, frozen=True, kw_only=True):
    choices: object = None
    usage: object = None


class Member(NamedTuple):
    """Where a member's value stands."""

    name: str
    start: int
    end: int


_STREAMING: Final = json.Decoder(Streaming)
_CHUNK: Final = json.Decoder(Chunk)


def asking_for_usage(body: bytes) -> bytes | None:
    """Return a chat request that asks for the usage frame; None when ``body`` is to stay.

    It stays when it asks already, asks for no stream, or says twice what it wants.
    """
    try:
        request = _STREAMING.decode(body)
    except (ValueError, RecursionError):
        return None
    options = request.stream_options
    if request.stream is not True:
        return None
    if options is UNSET:
        return _spliced(body, body.index(b"{") + 1, OPTIONS_MEMBER)
    found = _only(body, 0, "stream_options")
    if found is None:
        return None
    if options is None:
        return _spliced(body, found.start, OPTIONS, found.end)
    if not isinstance(options, dict) or options.get("include_usage") is True:
        return None
    if "include_usage" not in options:
        return _spliced(body, found.start + 1, OPTION + (b"," if options else b""))
    value = _only(body, found.start, "include_usage")
    return None if value is None else _spliced(body, value.start, b"true", value.end)


def is_usage_frame(frame: Frame) -> bool:
    """Tell whether a chat stream has this frame only because its usage was asked for."""
    if frame.form != "event" or b'"usage"' not in frame.raw:
        return False
    try:
        chunk = _CHUNK.decode(data_of(frame))
    except (ValueError, RecursionError):
        return False
    return chunk.choices == [] and isinstance(chunk.usage, dict)


def _spliced(body: bytes, start: int, new: bytes, end: int | None = None) -> bytes:
    return body[:start] + new + body[start if end is None else end :]


def _only(body: bytes, at: int, name: str) -> Member | None:
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
