"""Rule: how OpenAI's responses and embeddings tell what they used.

Source: OpenAI API reference, responses (streaming events ``response.completed``, ``.incomplete``
and ``.failed``) and embeddings.
"""

from collections.abc import Iterator

from msgspec import Struct, json
from msgspec.structs import asdict

from llmring_core.gateway.dialects.counts import Counts, object_in, objects_in
from llmring_core.gateway.dialects.seen import Event, Rules, Seen, strings_in
from llmring_core.usage import Tokens

ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")


class Embedded(Struct, frozen=True, kw_only=True):
    """An answer without its vectors, which may be millions of numbers."""

    model: object = None
    usage: object = None
    error: object = None


EMBEDDED = json.Decoder(Embedded)


def may_matter(raw: bytes) -> bool:
    return b'"response"' in raw or b'"error"' in raw or b'"usage"' in raw


def notice(seen: Seen, event: Event) -> None:
    kind = event.get("type")
    response = event if kind is None else object_in(event.get("response"))
    seen.name_model(response.get("model"))
    seen.add_usage(response.get("usage"))
    seen.fail(response.get("error"))
    if kind == "error":
        seen.fail(object_in(event.get("error")) or event)
    if kind in ENDS:
        seen.terminal = True
    if kind is None or kind in ENDS:
        details = object_in(response.get("incomplete_details"))
        seen.finish(response.get("status"))
        seen.finish(details.get("reason"))


def tokens(counts: Counts) -> Tokens:
    whole = counts.required("input_tokens")
    generated = counts.required("output_tokens")
    cached = counts.at("input_tokens_details", "cached_tokens")
    reasoning = counts.at("output_tokens_details", "reasoning_tokens")
    if counts.at("total_tokens") != whole + generated + reasoning:  # else it is counted beside
        path = ("output_tokens_details", "reasoning_tokens")
        generated = counts.rest(generated, reasoning, *path)
    return Tokens(
        input_uncached=counts.rest(whole, cached, "input_tokens_details", "cached_tokens"),
        input_cache_read=cached,
        output=generated,
        output_reasoning=reasoning,
    )


def texts(event: Event) -> Iterator[str]:
    kind = event.get("type")
    if isinstance(kind, str) and kind.endswith(".delta") and not kind.endswith("audio.delta"):
        yield from strings_in(event, "delta")
    if kind is None:
        for item in objects_in(event.get("output")):
            yield from strings_in(item, "name", "arguments", "input")
            for part in objects_in(item.get("content")) + objects_in(item.get("summary")):
                yield from strings_in(part, "text", "refusal")


def decode_embeddings(body: bytes) -> object:
    return asdict(EMBEDDED.decode(body))


def embeddings_matter(raw: bytes) -> bool:
    return b'"usage"' in raw or b'"error"' in raw


def notice_embeddings(seen: Seen, event: Event) -> None:
    seen.name_model(event.get("model"))
    seen.fail(event.get("error"))
    seen.add_usage(event.get("usage"))


def embeddings_tokens(counts: Counts) -> Tokens:
    return Tokens(input_uncached=counts.required("prompt_tokens"))


def no_texts(_event: Event) -> Iterator[str]:
    return iter(())


RESPONSES = Rules(
    may_matter=may_matter,
    notice=notice,
    tokens=tokens,
    besides={
        "input_cache_write": ("input_tokens_details", "cache_write_tokens"),
        "input_audio": ("input_tokens_details", "audio_tokens"),
        "output_audio": ("output_tokens_details", "audio_tokens"),
    },
    texts=texts,
)
EMBEDDINGS = Rules(
    may_matter=embeddings_matter,
    notice=notice_embeddings,
    tokens=embeddings_tokens,
    besides={},
    texts=no_texts,
    decode=decode_embeddings,
)
