"""Rule: how Anthropic's messages tell what they used.

Input counts exclude what was read from a cache or written to one; output includes thinking; the
counts in a stream are running totals.

Source: Anthropic API reference, messages and streaming messages.
"""

from collections.abc import Iterator

from msgspec import json

from llmring_core.gateway.dialects.counts import Counts, is_count, object_in, objects_in
from llmring_core.gateway.dialects.seen import Event, Rules, Seen, strings_in
from llmring_core.usage import Tokens


def may_matter(raw: bytes) -> bool:
    return b"message_" in raw or b'"error"' in raw or b'"usage"' in raw


def notice(seen: Seen, event: Event) -> None:
    seen.fail(event.get("error"))
    if event.get("type") == "message_stop":
        seen.terminal = True
    message = object_in(event.get("message")) or event
    seen.name_model(message.get("model"))
    seen.finish(message.get("stop_reason"))
    seen.finish(object_in(event.get("delta")).get("stop_reason"))
    seen.add_usage(_never_less(seen.usage, message.get("usage")))


def _never_less(before: Event, usage: object) -> object:
    """Return ``usage``, a running total, without the zeros some relays put where they know none."""
    if not isinstance(usage, dict):
        return usage
    return {name: _larger(before.get(name), value) for name, value in usage.items()}


def _larger(before: object, value: object) -> object:
    return max(before, value) if is_count(before) and is_count(value) else value


def tokens(counts: Counts) -> Tokens:
    written = counts.at("cache_creation_input_tokens")
    hour = counts.at("cache_creation", "ephemeral_1h_input_tokens")
    short = counts.at("cache_creation", "ephemeral_5m_input_tokens")
    hour = min(hour, written) if written else hour  # the sum is what is billed
    generated = counts.required("output_tokens")
    thought = counts.at("output_tokens_details", "thinking_tokens")
    return Tokens(
        input_uncached=counts.required("input_tokens"),
        input_cache_read=counts.at("cache_read_input_tokens"),
        input_cache_write_5m=written - hour if written else short,
        input_cache_write_1h=hour,
        output=counts.rest(generated, thought, "output_tokens_details", "thinking_tokens"),
        output_reasoning=thought,
    )


def texts(event: Event) -> Iterator[str]:
    yield from strings_in(object_in(event.get("delta")), "text", "thinking", "partial_json")
    begun = object_in(event.get("content_block"))
    for block in (begun, *objects_in(event.get("content"))):
        yield from strings_in(block, "text", "thinking", "name")
        if block.get("input"):
            yield json.encode(block["input"]).decode()


MESSAGES = Rules(
    may_matter=may_matter,
    notice=notice,
    tokens=tokens,
    besides={
        "web_searches": ("server_tool_use", "web_search_requests"),
        "web_fetches": ("server_tool_use", "web_fetch_requests"),
    },
    texts=texts,
)
