"""What providers say, in each dialect: whole answers and events, and the usage they tell.

Source: the API references of OpenAI, Anthropic and Google, as of 2026.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from msgspec import json

from tests.integration.upstream import END, STREAM_HEAD, chunk, whole

DONE = b"data: [DONE]\n\n"


class Used(NamedTuple):
    """Tokens as the ledger adds them up."""

    input: int  # all of it
    cached: int = 0  # of the input
    output: int = 0  # all of it
    reasoning: int = 0  # of the output


def streamed(events: Iterable[bytes]) -> bytes:
    """A whole answer, each event in a chunk of its own."""
    return STREAM_HEAD + b"".join(map(chunk, events)) + END


def event(body: dict[str, Any]) -> bytes:
    """An event, named as its type where it has one."""
    name = b"event: %b\n" % body["type"].encode() if "type" in body else b""
    return name + b"data: " + json.encode(body) + b"\n\n"


def chat(used: Used, **message: Any) -> bytes:
    said = {"role": "assistant", "content": "Hi"} | message
    choice = {"index": 0, "message": said, "finish_reason": "stop"}
    return whole(json.encode(_chat("chat.completion", [choice]) | {"usage": _chat_usage(used)}))


def chat_events(used: Used, *deltas: dict[str, Any]) -> list[bytes]:
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    parts = [_chat("chat.completion.chunk", [choice]) for choice in (*choices, last)]
    usage = _chat("chat.completion.chunk", []) | {"usage": _chat_usage(used)}
    return [*(event(part | {"usage": None}) for part in parts), event(usage), DONE]


def messages(used: Used, *blocks: dict[str, Any]) -> bytes:
    message = _message(list(blocks) or [{"type": "text", "text": "Hi"}], "end_turn")
    return whole(json.encode(message | {"usage": _messages_usage(used)}))


def messages_events(used: Used, *deltas: dict[str, Any], **block: Any) -> list[bytes]:
    """Events of one block; ``deltas`` are what is added to it."""
    begun = _message([], None) | {"usage": _messages_usage(used._replace(output=1, reasoning=0))}
    told = ("output_tokens", "output_tokens_details")
    usage = {name: _messages_usage(used)[name] for name in told}
    parts: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": block or TEXT_BLOCK},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
        {"type": "message_stop"},
    ]
    return [event(part) for part in parts]


def responses(used: Used) -> bytes:
    return whole(json.encode(_response(used, "completed")))


def responses_events(used: Used) -> list[bytes]:
    begun = _response(used, "in_progress") | {"usage": None}
    parts: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_text.delta", "item_id": "m", "delta": "Hi"},
        {"type": "response.completed", "response": _response(used, "completed")},
    ]
    return [event(part) for part in parts]


def embeddings(used: Used) -> bytes:
    usage = {"prompt_tokens": used.input, "total_tokens": used.input}
    vector = {"object": "embedding", "index": 0, "embedding": [0.25, -1e-9]}
    return whole(json.encode({"object": "list", "data": [vector], "model": "e", "usage": usage}))


def gemini(used: Used) -> bytes:
    return whole(json.encode(_gemini(used, "STOP")))


def gemini_events(used: Used) -> list[bytes]:
    begun = used._replace(output=used.reasoning)
    return [event(_gemini(begun, None)), event(_gemini(used, "STOP"))]


def refusal(status: bytes, kind: str, *headers: bytes) -> bytes:
    """An error that OpenAI's and Anthropic's clients both read."""
    error = {"message": "as the provider has it", "type": kind, "code": kind, "param": None}
    return whole(json.encode({"type": "error", "error": error}), *headers, status=status)


TEXT_BLOCK = {"type": "text", "text": ""}


def _chat(kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": "c", "object": kind, "created": 1, "model": "gpt-4.1", "choices": choices}


def _chat_usage(used: Used) -> dict[str, Any]:
    return {
        "prompt_tokens": used.input,
        "completion_tokens": used.output,
        "total_tokens": used.input + used.output,
        "prompt_tokens_details": {"cached_tokens": used.cached},
        "completion_tokens_details": {"reasoning_tokens": used.reasoning},
    }


def _message(content: list[dict[str, Any]], reason: str | None) -> dict[str, Any]:
    facts = {"id": "m", "type": "message", "role": "assistant", "model": "claude-any"}
    return facts | {"content": content, "stop_reason": reason, "stop_sequence": None}


def _messages_usage(used: Used) -> dict[str, Any]:
    return {
        "input_tokens": used.input - used.cached,
        "cache_read_input_tokens": used.cached,
        "cache_creation_input_tokens": 0,
        "output_tokens": used.output,
        "output_tokens_details": {"thinking_tokens": used.reasoning},
    }


def _response(used: Used, status: str) -> dict[str, Any]:
    usage = {
        "input_tokens": used.input,
        "output_tokens": used.output,
        "total_tokens": used.input + used.output,
        "input_tokens_details": {"cached_tokens": used.cached},
        "output_tokens_details": {"reasoning_tokens": used.reasoning},
    }
    facts = {"id": "r", "object": "response", "created_at": 1, "model": "gpt-4.1", "output": []}
    return facts | {"status": status, "usage": usage}


def _gemini(used: Used, reason: str | None) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": "Hi"}]}
    usage = {
        "promptTokenCount": used.input,
        "cachedContentTokenCount": used.cached,
        "candidatesTokenCount": used.output - used.reasoning,
        "thoughtsTokenCount": used.reasoning,
        "totalTokenCount": used.input + used.output,
    }
    candidate = {"content": content} | ({"finishReason": reason} if reason else {})
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-2.5-pro"}
