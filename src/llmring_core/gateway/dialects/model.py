"""What a provider's answer is cut into, and what is read off it."""

from typing import Literal

from msgspec import Struct

from llmring_core.usage import Tokens, UsageSource

MAX_TOKENS = 100_000_000  # of one call: ten times the longest context any model has
MAX_NAME = 255  # characters

Dialect = Literal[
    "openai-chat", "openai-responses", "openai-embeddings", "anthropic-messages", "gemini"
]
Form = Literal["event", "item", "piece"]  # of a JSON array: item; of what is too long: piece


class Frame(Struct, frozen=True, kw_only=True):
    """A part of a streamed answer that means something by itself, byte for byte as it came."""

    raw: bytes
    form: Form


class Said(Struct, frozen=True, kw_only=True):
    """The text of an answer, as far as it was kept."""

    text: str
    beyond: int  # characters that came and were not kept


class Reading(Struct, frozen=True, kw_only=True):
    """What an answer, or as much of it as has come, says about itself."""

    tokens: Tokens  # all 0 when the source is missing
    source: UsageSource  # provider, estimated or missing
    flaw: str | None  # why it is missing
    model: str | None  # as the provider names it
    finish_reason: str | None
    terminal: bool  # the mark that ends this dialect's answers has come
    final: bool  # the counts are those of the whole answer
    error: str | None  # the provider's code for what went wrong
    besides: dict[str, int]  # counts that are no part of the vector, or are in it already
    unread: int  # frames that were too long, or no JSON
