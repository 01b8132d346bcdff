"""What the parts of one answer have said so far, whatever its dialect."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from msgspec import json

from llmring_core.gateway.dialects.counts import Counts, name_in, object_in
from llmring_core.usage import Tokens

Event: TypeAlias = dict[str, object]  # one decoded frame, or a whole body


@dataclass(slots=True)
class Seen:
    """Filled event by event. Of each member of the usage the last one counts."""

    usage: Event = field(default_factory=dict)
    not_usage: bool = False  # what stood last where usage belongs was no object
    model: str | None = None
    finish_reason: str | None = None
    terminal: bool = False
    error: str | None = None

    def add_usage(self, usage: object) -> None:
        if isinstance(usage, dict):
            self.usage |= {name: value for name, value in usage.items() if value is not None}
            self.not_usage = False
        elif usage is not None:
            self.not_usage = True

    def name_model(self, model: object) -> None:
        self.model = name_in(model) or self.model

    def finish(self, reason: object) -> None:
        self.finish_reason = name_in(reason) or self.finish_reason

    def fail(self, error: object) -> None:
        """Take the first error's code; ``error`` is an object, or a text."""
        if self.error is None and error is not None:
            facts = object_in(error)
            names = [name_in(facts.get(name)) for name in ("code", "type", "status")]
            self.error = next((name for name in names if name), "error")


@dataclass(frozen=True, slots=True)
class Rules:
    """How one dialect is read."""

    may_matter: Callable[[bytes], bool]  # False: this frame has neither usage nor a mark
    notice: Callable[[Seen, Event], None]
    tokens: Callable[[Counts], Tokens]
    besides: dict[str, tuple[str, ...]]  # more counts, by their path in the usage
    texts: Callable[[Event], Iterator[str]]
    done: bytes | None = None  # a frame of these bytes is the end
    decode: Callable[[bytes], object] = json.decode


def strings_in(event: Event, *names: str) -> Iterator[str]:
    """Return those of the named members that are text."""
    for name in names:
        value = event.get(name)
        if isinstance(value, str) and value:
            yield value
