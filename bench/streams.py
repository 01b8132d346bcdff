"""Load of streams: when their pieces come, and how long each frame was under way."""

import re
from array import array
from sys import maxsize
from time import monotonic_ns, perf_counter

from httptools import HttpParserError, HttpResponseParser
from msgspec import Struct

from bench.load import Connection, Load, Stretch, Workload, drive, percentile

SENT = re.compile(rb'"content":"at (\d+)"')  # nanoseconds of the clock that all processes share


class Heard(Struct, kw_only=True):
    """What a stretch of streams showed; times in milliseconds, in the order they were measured."""

    first_ms: "array[float]"  # from the request to the first piece of the body
    delays_ms: "array[float]"  # of frames that say when they were sent, while all were open
    connections: int = 0
    pieces: int = 0
    open: int = 0
    most_open: int = 0  # at the same time

    @property
    def first_p50_ms(self) -> float:
        return percentile(sorted(self.first_ms), 0.50)

    @property
    def delay_p99_ms(self) -> float:
        return percentile(sorted(self.delays_ms), 0.99)


class Listener:
    """Drives streams; ``heard`` is of the last stretch."""

    def __init__(self) -> None:
        self.heard = _nothing(0)

    def __call__(
        self, port: int, workload: Workload, connections: int, seconds: float, count: int = maxsize
    ) -> Load:
        self.heard = heard = _nothing(connections)
        return drive(
            port,
            workload,
            connections,
            seconds,
            count,
            lambda stretch: _Listening(stretch, heard),
        )


class _Listening(Connection):
    """Reads answers in chunks; the workload is given their bodies alone."""

    def __init__(self, stretch: Stretch, heard: Heard) -> None:
        super().__init__(stretch)
        self._heard = heard
        self._pieces: list[bytes] = []
        self._cut = b""  # of a frame that is not complete
        self._parser = HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self._run.fail(error)

    def on_body(self, piece: bytes) -> None:
        heard = self._heard
        if not self._pieces:
            heard.first_ms.append((perf_counter() - self._sent) * 1000)
            heard.open += 1
            heard.most_open = max(heard.most_open, heard.open)
        heard.pieces += 1
        self._pieces.append(piece)
        frames, ends, self._cut = (self._cut + piece).rpartition(b"\n\n")
        all_open = heard.open == heard.connections  # opening them all at once keeps frames waiting
        for sent in SENT.findall(frames) if ends and all_open else ():
            heard.delays_ms.append((monotonic_ns() - int(sent)) / 1e6)

    def on_message_complete(self) -> None:
        if self._pieces:
            self._heard.open -= 1
        body = b"".join(self._pieces)
        status = b"%d" % self._parser.get_status_code()
        self._pieces, self._cut = [], b""
        self.complete(status, body)

    def closes(self, answer: bytes) -> bool:  # noqa: ARG002  its head is with the parser
        return not self._parser.should_keep_alive()


def _nothing(connections: int) -> Heard:
    return Heard(first_ms=array("d"), delays_ms=array("d"), connections=connections)
