"""Rule: how Gemini tells what it used.

The prompt includes what came from a cache; thoughts and the prompts of tools are counted beside.

Source: Gemini API reference, ``GenerateContentResponse`` and ``UsageMetadata``.
"""

from collections.abc import Iterator

from msgspec import json

from llmring_core.gateway.dialects.counts import Counts, object_in, objects_in
from llmring_core.gateway.dialects.seen import Event, Rules, Seen, strings_in
from llmring_core.usage import Tokens


def may_matter(raw: bytes) -> bool:
    return b'"usageMetadata"' in raw or b'"finishReason"' in raw or b'"error"' in raw


def notice(seen: Seen, event: Event) -> None:
    seen.name_model(event.get("modelVersion"))
    seen.fail(event.get("error"))
    seen.add_usage(event.get("usageMetadata"))
    blocked = object_in(event.get("promptFeedback")).get("blockReason")
    reasons = [one.get("finishReason") for one in objects_in(event.get("candidates"))]
    for reason in (blocked, *reasons):
        seen.finish(reason)
    seen.terminal = seen.finish_reason is not None


def tokens(counts: Counts) -> Tokens:
    prompt = counts.required("promptTokenCount")
    cached = counts.at("cachedContentTokenCount")
    by_tools = counts.at("toolUsePromptTokenCount")
    return Tokens(
        input_uncached=counts.rest(prompt, cached, "cachedContentTokenCount") + by_tools,
        input_cache_read=cached,
        output=counts.at("candidatesTokenCount"),
        output_reasoning=counts.at("thoughtsTokenCount"),
    )


def texts(event: Event) -> Iterator[str]:
    for candidate in objects_in(event.get("candidates")):
        for part in objects_in(object_in(candidate.get("content")).get("parts")):
            yield from strings_in(part, "text")
            call = object_in(part.get("functionCall"))
            yield from strings_in(call, "name")
            if call.get("args"):
                yield json.encode(call["args"]).decode()


GEMINI = Rules(
    may_matter=may_matter,
    notice=notice,
    tokens=tokens,
    besides={"input_of_tools": ("toolUsePromptTokenCount",)},
    texts=texts,
)
