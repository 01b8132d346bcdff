"""Which meter reads an answer along, and what it makes of it."""

from typing import Final

from llmring_core.gateway.dialects import (
    Dialect,
    Frames,
    Reading,
    TokenCounter,
    UsageMeter,
    dialect_of,
    estimated,
    frames_for,
    prompt_in,
)
from llmring_core.gateway.forwarding import Asked, Meter, Metered

MAX_BODY: Final = 32 * 1024 * 1024  # bytes of an answer that is no stream; more goes unread
STREAMED: Final = ":streamGenerateContent"
UNNAMED: Final = ""  # a model that nobody named is counted with the usual vocabulary


class Unmetered(Meter):
    """Knows nothing of what it reads."""

    def feed(self, piece: bytes) -> bool:  # noqa: ARG002  the port's
        return False

    def result(self) -> Metered:
        return Metered()

    def estimated(self, by: TokenCounter) -> Metered:  # noqa: ARG002  the port's
        return Metered()


class WholeBody(Meter):
    """Reads an answer that is no stream, at its end."""

    def __init__(self, dialect: Dialect, asked: Asked) -> None:
        self._dialect: Dialect = dialect
        self._asked = asked
        self._meter = UsageMeter(dialect)
        self._body = bytearray()
        self._result: Metered | None = None

    def feed(self, piece: bytes) -> bool:
        if len(self._body) <= MAX_BODY:
            self._body += piece
        return False

    def result(self) -> Metered:
        if self._result is None:
            self._meter.body(bytes(self._body))
            self._result = _metered(self._meter.reading(), whole=True)
        return self._result

    def estimated(self, by: TokenCounter) -> Metered:
        self.result()
        return _metered(_counted(self._meter, self._dialect, self._asked, by), whole=True)


class Streamed(Meter):
    """Reads a stream frame by frame."""

    def __init__(self, dialect: Dialect, asked: Asked, frames: Frames) -> None:
        self._dialect: Dialect = dialect
        self._asked = asked
        self._meter = UsageMeter(dialect)
        self._frames = frames
        self._has_ended = False
        self._result: Metered | None = None

    def feed(self, piece: bytes) -> bool:
        self._result = None
        for frame in self._frames.feed(piece):
            self._meter.frame(frame)
        ends_now = self._meter.terminal and not self._has_ended
        self._has_ended = self._meter.terminal
        return ends_now

    def result(self) -> Metered:
        if self._result is None:
            for frame in self._frames.finish():  # one that its provider did not end
                self._meter.frame(frame)
            reading = self._meter.reading()
            self._result = _metered(reading, whole=reading.terminal)
        return self._result

    def estimated(self, by: TokenCounter) -> Metered:
        whole = self.result().whole
        return _metered(_counted(self._meter, self._dialect, self._asked, by), whole=whole)


def meter_for(asked: Asked) -> Meter:
    """Return the meter for an answer: its dialect's, if it is one that tells what it used."""
    dialect = dialect_of(asked.method, asked.endpoint, asked.provider)
    if dialect is None or asked.status != 200:
        return Unmetered()
    frames = frames_for(dialect, STREAMED in asked.endpoint, asked.media_type)
    return WholeBody(dialect, asked) if frames is None else Streamed(dialect, asked, frames)


def _metered(reading: Reading, *, whole: bool) -> Metered:
    told = reading.final and reading.source == "provider"
    failed = reading.error is not None
    return Metered(
        tokens=reading.tokens,
        source=reading.source,
        whole=whole,
        final=told or failed,  # a provider that failed charges nothing
        failed=failed,
        besides=reading.besides,
    )


def _counted(meter: UsageMeter, dialect: Dialect, asked: Asked, by: TokenCounter) -> Reading:
    prompt, model = prompt_in(asked.body or b""), asked.model or UNNAMED
    return estimated(meter.reading(), dialect, prompt, meter.said(), model, by)
