"""Rule: where a streamed answer may be cut. Every byte comes out again, in order, unchanged.

Source: WHATWG HTML section 9.2.5 for events; RFC 8259 for the items of an array.
"""

import re
from typing import Final, Protocol

from llmring_core.gateway.dialects.model import Form, Frame

MAX_FRAME: Final = 4 * 1024 * 1024  # bytes; the last event of some dialects repeats the answer
BOM: Final = b"\xef\xbb\xbf"

# A line end and another; LF CR waits for what follows, because CR LF is one line end.
_BLANK_LINE: Final = re.compile(rb"\n\n|\r\r|\n\r(?:\n|(?=[^\n]))")
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_OUTSIDE: Final = re.compile(rb'["{}\[\]]')
_INSIDE: Final = re.compile(rb'["\\]')


class Frames(Protocol):
    """Cuts a stream of bytes. Holds no more than ``max_frame`` bytes of it, and one chunk."""

    def feed(self, chunk: bytes) -> list[Frame]:
        """Return the frames that are complete now, and pieces of those that are too long."""

    def finish(self) -> list[Frame]:
        """Return what is left when the stream has ended."""


class SseFrames:
    """Cuts server-sent events after the blank line that ends each. A Frames."""

    def __init__(self, max_frame: int = MAX_FRAME) -> None:
        self._max_frame = max_frame
        self._held = bytearray()
        self._in_pieces = False  # the frame under way is being passed on in pieces

    def feed(self, chunk: bytes) -> list[Frame]:
        held = self._held
        searched = max(len(held) - 2, 0)  # a blank line may have begun in the last two bytes
        data: bytes | bytearray = chunk
        if held:
            held += chunk
            data = held
        frames = []
        start = 0
        for end in _event_ends(data, searched):
            frames.append(self._frame(data[start:end]))
            start = end
        rest = data[start:] if start else data
        if len(rest) > 2 and (self._in_pieces or len(rest) > self._max_frame):
            self._in_pieces = True
            frames.append(Frame(raw=bytes(rest[:-2]), form="piece"))
            rest = rest[-2:]
        if rest is not held:
            self._held = bytearray(rest)
        return frames

    @property
    def held(self) -> bytes:
        """What has come of the frame under way and was not returned."""
        return bytes(self._held)

    def let_go(self) -> bytes:
        """Return the frame under way as far as it came; its rest follows in pieces."""
        self._in_pieces = True
        piece, self._held = bytes(self._held[:-2]), self._held[-2:]
        return piece

    def finish(self) -> list[Frame]:
        rest, self._held = self._held, bytearray()
        return [self._frame(rest)] if rest else []

    def _frame(self, raw: bytes | bytearray) -> Frame:
        form: Form = "piece" if self._in_pieces or len(raw) > self._max_frame else "event"
        self._in_pieces = False
        return Frame(raw=bytes(raw), form=form)


def _event_ends(data: bytes | bytearray, searched: int) -> list[int]:
    if b"\r" in data:
        return [match.end() for match in _BLANK_LINE.finditer(data, searched)]
    ends = []  # the same, several times as fast, for streams that have only LF
    end = data.find(b"\n\n", searched) + 2
    while end > 1:
        ends.append(end)
        end = data.find(b"\n\n", end) + 2
    return ends


class JsonItems:
    """Cuts a JSON array behind each of its items, or a JSON object behind its end. A Frames."""

    def __init__(self, max_frame: int = MAX_FRAME) -> None:
        self._max_frame = max_frame
        self._held = bytearray()
        self._in_pieces = False
        self._open = bytearray()  # the brackets that are open, outermost first
        self._in_string = False
        self._escaped = False

    def feed(self, chunk: bytes) -> list[Frame]:
        frames = []
        start = 0
        for end in self._ends(chunk):
            self._held += chunk[start:end]
            frames.append(self._frame("item"))
            start = end
        self._held += chunk[start:]
        if self._held and (self._in_pieces or len(self._held) > self._max_frame):
            frames.append(self._frame("piece"))
            self._in_pieces = True
        return frames

    def finish(self) -> list[Frame]:
        return [self._frame("item")] if self._held else []

    def _ends(self, chunk: bytes) -> list[int]:
        ends = []
        at = 0
        while at < len(chunk):
            if self._escaped:
                self._escaped = False
                at += 1
                continue
            found = (_INSIDE if self._in_string else _OUTSIDE).search(chunk, at)
            if found is None:
                break
            at = found.end()
            if self._passed(found[0]):
                ends.append(at)
        return ends

    def _passed(self, mark: bytes) -> bool:
        """Go past a quote, a backslash or a bracket, and tell whether it ends an item."""
        if mark == b'"':
            self._in_string = not self._in_string
        elif mark == b"\\":
            self._escaped = True
        elif mark in b"{[":
            self._open += mark if len(self._open) < 2 else b"."  # only the outer two matter
        elif self._open:
            self._open.pop()
            return not self._open or self._open == b"["
        return False

    def _frame(self, form: Form) -> Frame:
        raw, self._held = bytes(self._held), bytearray()
        if self._in_pieces or len(raw) > self._max_frame:
            form = "piece"
        self._in_pieces = False
        return Frame(raw=raw, form=form)


def data_of(frame: Frame) -> bytes:
    """Return what a frame carries: an event's data lines, or an item without its comma."""
    raw = frame.raw
    if frame.form == "item":
        return raw.lstrip(b" \t\r\n,[]")
    if raw.startswith(b"data: ") and raw.find(b"\n") == len(raw) - 2 and b"\r" not in raw:
        return raw[6:-2]
    lines = [line for line in _LINE_END.split(raw.removeprefix(BOM)) if line[:5] == b"data:"]
    return b"\n".join([line[5:].removeprefix(b" ") for line in lines])
