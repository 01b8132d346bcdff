"""Rule: how OpenAI's chat completions, and those who speak like them, tell what they used.

Source: OpenAI API reference, chat completions, ``usage`` and ``stream_options``. Besides: xAI
counts reasoning beside the completion, DeepSeek and Moonshot name cached tokens otherwise, Groq
streams usage under ``x_groq``, Moonshot in a choice.
"""

from collections.abc import Iterator

from llmring_core.gateway.dialects.counts import Counts, object_in, objects_in
from llmring_core.gateway.dialects.seen import Event, Rules, Seen, strings_in
from llmring_core.usage import Tokens

SPOKEN = ("content", "text", "refusal", "reasoning_content", "reasoning")


def may_matter(raw: bytes) -> bool:
    usages = raw.count(b'"usage"')
    reasons = raw.count(b'"finish_reason"')
    return (
        usages != raw.count(b'"usage":null')
        or reasons != raw.count(b'"finish_reason":null')
        or b'"error"' in raw
        or b"[DONE]" in raw
    )


def notice(seen: Seen, event: Event) -> None:
    seen.name_model(event.get("model"))
    seen.fail(event.get("error"))
    for choice in objects_in(event.get("choices")):
        seen.finish(choice.get("finish_reason"))
        seen.add_usage(choice.get("usage"))
    seen.add_usage(object_in(event.get("x_groq")).get("usage"))
    seen.add_usage(event.get("usage"))


def tokens(counts: Counts) -> Tokens:
    prompt = counts.required("prompt_tokens")
    completion = counts.required("completion_tokens")
    cached = max(
        counts.at("prompt_tokens_details", "cached_tokens"),
        counts.at("prompt_cache_hit_tokens"),
        counts.at("cached_tokens"),
    )
    reasoning = counts.at("completion_tokens_details", "reasoning_tokens")
    if counts.at("total_tokens") != prompt + completion + reasoning:  # else it is counted beside
        path = ("completion_tokens_details", "reasoning_tokens")
        completion = counts.rest(completion, reasoning, *path)
    return Tokens(
        input_uncached=counts.rest(prompt, cached, "prompt_tokens_details", "cached_tokens"),
        input_cache_read=cached,
        output=completion,
        output_reasoning=reasoning,
    )


def texts(event: Event) -> Iterator[str]:
    for choice in objects_in(event.get("choices")):
        message = object_in(choice.get("delta")) or object_in(choice.get("message")) or choice
        yield from strings_in(message, *SPOKEN)
        calls = [object_in(call.get("function")) for call in objects_in(message.get("tool_calls"))]
        for call in (object_in(message.get("function_call")), *calls):
            yield from strings_in(call, "name", "arguments")


CHAT = Rules(
    may_matter=may_matter,
    notice=notice,
    tokens=tokens,
    besides={
        "input_audio": ("prompt_tokens_details", "audio_tokens"),
        "input_cache_write": ("prompt_tokens_details", "cache_write_tokens"),
        "output_audio": ("completion_tokens_details", "audio_tokens"),
        "output_rejected_prediction": ("completion_tokens_details", "rejected_prediction_tokens"),
    },
    texts=texts,
    done=b"[DONE]",
)
