"""Rule: what an answer used, read while it passes."""

from collections.abc import Iterator
from typing import Final

from llmring_core.gateway.dialects.anthropic import MESSAGES
from llmring_core.gateway.dialects.counts import Counts
from llmring_core.gateway.dialects.frames import data_of
from llmring_core.gateway.dialects.gemini import GEMINI
from llmring_core.gateway.dialects.model import Dialect, Frame, Reading, Said
from llmring_core.gateway.dialects.openai_chat import CHAT
from llmring_core.gateway.dialects.openai_responses import EMBEDDINGS, RESPONSES
from llmring_core.gateway.dialects.seen import Event, Rules, Seen
from llmring_core.usage import Tokens

MAX_RAW: Final = 64 * 1024  # bytes of frames kept unread, in case their text must be counted
MAX_TEXT: Final = 1024 * 1024  # characters
NAMING_FRAMES: Final = 8  # a model that these do not name stays unnamed until usage comes

RULES: Final[dict[Dialect, Rules]] = {
    "openai-chat": CHAT,
    "openai-responses": RESPONSES,
    "openai-embeddings": EMBEDDINGS,
    "anthropic-messages": MESSAGES,
    "gemini": GEMINI,
}


class UsageMeter:
    """Reads one answer: either frame by frame, or its whole body once. Never raises."""

    def __init__(self, dialect: Dialect) -> None:
        self._rules = RULES[dialect]
        self._seen = Seen()
        self._frames = 0
        self._unread = 0
        self._whole: Event | None = None  # whose text was not looked at
        self._raw: list[Frame] = []
        self._raw_bytes = 0
        self._texts: list[str] = []
        self._kept = 0  # characters in _texts
        self._beyond = 0

    def frame(self, frame: Frame) -> None:
        """Take the next frame. Most are not decoded: they only say more of the answer."""
        self._frames += 1
        if frame.form == "piece":
            self._unread += 1
            return
        raw = frame.raw
        naming = self._seen.model is None and self._frames <= NAMING_FRAMES
        # An escape may hide the name of a member; no provider writes one, but JSON allows it.
        if naming or b"\\u00" in raw or self._rules.may_matter(raw):
            self._read(data_of(frame))
        self._raw.append(frame)
        self._raw_bytes += len(raw)
        if self._raw_bytes > MAX_RAW:
            self._keep_texts()

    def body(self, body: bytes) -> None:
        """Take the whole of an answer that is no stream."""
        event = self._event_in(body)
        if event is None:
            self._unread += 1
            return
        self._rules.notice(self._seen, event)
        self._seen.terminal = True
        self._whole = event

    @property
    def terminal(self) -> bool:
        """Whether the answer has ended, as its dialect has it."""
        return self._seen.terminal

    def reading(self) -> Reading:
        """Tell what is known now."""
        seen = self._seen
        counts = Counts(seen.usage)
        tokens = self._rules.tokens(counts)
        flaw = self._flaw(counts)
        return Reading(
            tokens=Tokens() if flaw else tokens,
            source="missing" if flaw else "provider",
            flaw=flaw,
            model=seen.model,
            finish_reason=seen.finish_reason,
            terminal=seen.terminal,
            final=not flaw and (seen.terminal or seen.finish_reason is not None),
            error=seen.error,
            besides={} if flaw else counts.besides(**self._rules.besides),
            unread=self._unread,
        )

    def said(self) -> Said:
        """Return the text of the answer so far; decoding it takes a while, reading does not."""
        self._keep_texts()
        return Said(text="".join(self._texts), beyond=self._beyond)

    def _flaw(self, counts: Counts) -> str | None:
        if self._seen.not_usage:
            return "usage is no object"
        return counts.flaw if self._seen.usage else "no usage came"

    def _read(self, data: bytes) -> None:
        if not data:
            return
        if data.strip() == self._rules.done:
            self._seen.terminal = True
            return
        event = self._event_in(data)
        if event is None:
            self._unread += 1
        else:
            self._rules.notice(self._seen, event)

    def _keep_texts(self) -> None:
        events = [self._event_in(data_of(frame)) for frame in self._raw]
        events.append(self._whole)
        self._whole, self._raw, self._raw_bytes = None, [], 0
        for event in events:
            if event is not None:
                self._keep(self._rules.texts(event))

    def _keep(self, texts: Iterator[str]) -> None:
        for text in texts:
            kept = text[: MAX_TEXT - self._kept]
            self._texts.append(kept)
            self._kept += len(kept)
            self._beyond += len(text) - len(kept)

    def _event_in(self, data: bytes) -> Event | None:
        try:
            event = self._rules.decode(data)
        except (ValueError, RecursionError):
            return None
        return event if isinstance(event, dict) else None
