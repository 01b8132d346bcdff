"""Rule: which dialect a call speaks, and what its request asks for."""

from typing import Final

from msgspec import Struct, json

from llmring_core.gateway.dialects.counts import name_in
from llmring_core.gateway.dialects.frames import Frames, JsonItems, SseFrames
from llmring_core.gateway.dialects.model import Dialect

_BY_LAST: Final[dict[str, Dialect]] = {
    "completions": "openai-chat",
    "responses": "openai-responses",
    "embeddings": "openai-embeddings",
}
_GEMINI: Final = ("generateContent", "streamGenerateContent")


class Asked(Struct, frozen=True, kw_only=True):
    """What a request says about the answer it wants."""

    model: str | None  # as the caller names it
    stream: bool
    wants_usage: bool  # of OpenAI's chat: the caller asked for the frame that has the usage


class Request(Struct, frozen=True, kw_only=True):
    model: object = None
    stream: object = None
    stream_options: object = None


_REQUEST: Final = json.Decoder(Request)


def dialect_of(method: str, path: str, provider: str) -> Dialect | None:
    """Return the dialect of the answer; None when it is none that tells what it used.

    ``path`` is normal, without a query; a base path before ``/v1`` does not matter. ``provider``
    settles what the path leaves open.
    """
    if method.upper() != "POST":
        return None
    before, _, last = path.rpartition("/")
    _, colon, verb = last.partition(":")
    if colon:
        return "gemini" if verb in _GEMINI else None
    if last == "messages":  # OpenAI has some too, of its threads
        ours = provider == "anthropic" or before.endswith("/v1")
        return "anthropic-messages" if ours else None
    return _BY_LAST.get(last)


def asked(dialect: Dialect, path: str, body: bytes) -> Asked:
    """Return what is asked for. A body that cannot be read asks for nothing."""
    if dialect == "gemini":
        model, _, verb = path.rpartition("/")[2].partition(":")
        return Asked(model=name_in(model), stream=verb == _GEMINI[1], wants_usage=False)
    try:
        request = _REQUEST.decode(body)
    except (ValueError, RecursionError):
        request = Request()
    options = request.stream_options
    return Asked(
        model=name_in(request.model),
        stream=request.stream is True,
        wants_usage=isinstance(options, dict) and options.get("include_usage") is True,
    )


def frames_for(dialect: Dialect, stream: bool, content_type: str) -> Frames | None:
    """Return what cuts an answer of this kind; None when it is to be read as a whole."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        return SseFrames()
    if dialect == "gemini" and stream and kind == "application/json":
        return JsonItems()
    return None
