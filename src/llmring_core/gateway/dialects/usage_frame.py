"""Rule: how the frame that has a stream's usage is asked for, and taken out again.

A request keeps every byte but those that ask. Source: OpenAI API reference, ``stream_options``.
"""

import re
from typing import Final

from msgspec import UNSET, Struct, UnsetType, json

from llmring_core.gateway.dialects.frames import data_of
from llmring_core.gateway.dialects.model import Frame
from llmring_core.gateway.dialects.splicing import only, spliced

OPTION: Final = b'"include_usage":true'
OPTIONS: Final = b'{"include_usage":true}'
OPTIONS_MEMBER: Final = b'"stream_options":' + OPTIONS + b","

_SOME_USAGE: Final = re.compile(rb'"usage"(?!\s*:\s*null)')


class Streaming(Struct, frozen=True, kw_only=True):
    stream: object = None
    stream_options: object | UnsetType = UNSET


class Chunk(Struct, frozen=True, kw_only=True):
    choices: object = None
    usage: object = None


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
        return spliced(body, body.index(b"{") + 1, OPTIONS_MEMBER)
    found = only(body, 0, "stream_options")
    if found is None:
        return None
    if options is None:
        return spliced(body, found.start, OPTIONS, found.end)
    if not isinstance(options, dict) or options.get("include_usage") is True:
        return None
    if "include_usage" not in options:
        return spliced(body, found.start + 1, OPTION + (b"," if options else b""))
    value = only(body, found.start, "include_usage")
    return None if value is None else spliced(body, value.start, b"true", value.end)


def is_usage_frame(frame: Frame) -> bool:
    """Tell whether a chat stream has this frame only because its usage was asked for."""
    raw = frame.raw  # most have none, or null
    if frame.form != "event" or b'"usage"' not in raw or not _SOME_USAGE.search(raw):
        return False
    try:
        chunk = _CHUNK.decode(data_of(frame))
    except (ValueError, RecursionError):
        return False
    return chunk.choices == [] and isinstance(chunk.usage, dict)
