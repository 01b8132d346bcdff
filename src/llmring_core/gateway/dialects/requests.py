"""Rule: which dialect a call speaks, and what its request asks for."""

from typing import Final

from msgspec import Struct, json

from llmring_core.gateway.dialects.counts import name_in
from llmring_core.gateway.dialects.frames import Frames, JsonItems, SseFrames
from llmring_core.gateway.dialects.model import Dialect

_BY_END: Final[dict[tuple[str, ...], Dialect]] = {
    ("chat", "completions"): "openai-chat",
    ("v1", "completions"): "openai-chat",
    ("v1", "responses"): "openai-responses",
    ("v1", "embeddings"): "openai-embeddings",
    ("v1", "messages"): "anthropic-messages",
}
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
    parts = tuple(path.strip("/").split("/"))
    if method.upper() != "POST":
        return None
    _, colon, verb = parts[-1].partition(":")
    if colon:
        return "gemini" if verb in _GEMINI else None
    if "threads" in parts:  # OpenAI's assistants have messages too
        return None
    dialect = _BY_END.get(parts[-2:])
    if dialect is None and provider == "anthropic" and parts[-1] == "messages":
        return "anthropic-messages"
    if dialect is None and provider != "anthropic":
        return _BY_LAST.get(parts[-1])
    return dialect


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
