"""Which dialect a call speaks, and what it asks for."""

import pytest

from llmring_core.gateway.dialects import (
    Asked,
    Dialect,
    JsonItems,
    SseFrames,
    asked,
    dialect_of,
    frames_for,
)


@pytest.mark.parametrize(
    ("path", "provider", "dialect"),
    [
        ("/v1/chat/completions", "openai", "openai-chat"),
        ("/v1/chat/completions", "anthropic", "openai-chat"),
        ("/openai/deployments/mine/chat/completions", "azure", "openai-chat"),
        ("/v1beta/openai/chat/completions", "gemini", "openai-chat"),
        ("/v1/completions", "openai", "openai-chat"),
        ("/v1/responses", "openai", "openai-responses"),
        ("/openai/responses", "azure", "openai-responses"),
        ("/v1/embeddings", "openai", "openai-embeddings"),
        ("/v1/messages", "anthropic", "anthropic-messages"),
        ("/v1/messages", "openrouter", "anthropic-messages"),
        ("/anthropic/messages", "anthropic", "anthropic-messages"),
        ("/v1beta/models/gemini-2.5-pro:generateContent", "gemini", "gemini"),
        ("/v1/models/gemini-2.5-pro:streamGenerateContent", "google", "gemini"),
        ("/v1beta/models/gemini-2.5-pro:countTokens", "gemini", None),
        ("/v1/messages/count_tokens", "anthropic", None),
        ("/v1/threads/t1/messages", "openai", None),
        ("/v1/messages/batches", "anthropic", None),
        ("/v1/responses/resp_1/cancel", "openai", None),
        ("/v1/models", "openai", None),
        ("/v1/audio/speech", "openai", None),
        ("/", "openai", None),
        ("", "openai", None),
    ],
)
def test_the_path_names_the_dialect(path: str, provider: str, dialect: Dialect | None) -> None:
    assert dialect_of("POST", path, provider) == dialect
    assert dialect_of("GET", path, provider) is None


@pytest.mark.parametrize(
    ("body", "model", "stream", "wants_usage"),
    [
        (b'{"model":"gpt-5","messages":[]}', "gpt-5", False, False),
        (b'{"model":"gpt-5","stream":true}', "gpt-5", True, False),
        (b'{"stream":true,"stream_options":{"include_usage":true}}', None, True, True),
        (b'{"stream":true,"stream_options":{"include_usage":false}}', None, True, False),
        (b'{"stream":"true","model":7,"stream_options":[]}', None, False, False),
        (b'{"stream":1}', None, False, False),
        (b"[]", None, False, False),
        (b"", None, False, False),
        (b"\xff", None, False, False),
        (b'{"a":' * 100_000, None, False, False),
    ],
)
def test_the_body_says_what_is_asked_for(
    body: bytes, model: str | None, stream: bool, wants_usage: bool
) -> None:
    told = asked("openai-chat", "/v1/chat/completions", body)
    assert told == Asked(model=model, stream=stream, wants_usage=wants_usage)


@pytest.mark.parametrize(("verb", "stream"), [("generate", False), ("streamGenerate", True)])
def test_gemini_says_it_in_the_path(verb: str, stream: bool) -> None:
    told = asked("gemini", f"/v1beta/models/gemini-2.5-pro:{verb}Content", b'{"stream":true}')
    assert told == Asked(model="gemini-2.5-pro", stream=stream, wants_usage=False)


@pytest.mark.parametrize(
    ("dialect", "stream", "content_type", "kind"),
    [
        ("openai-chat", True, "text/event-stream; charset=utf-8", SseFrames),
        ("openai-chat", True, "Text/Event-Stream", SseFrames),
        ("openai-chat", True, "application/json", None),  # an error, most likely
        ("gemini", True, "text/event-stream", SseFrames),
        ("gemini", True, "application/json; charset=UTF-8", JsonItems),
        ("gemini", False, "application/json", None),
        ("anthropic-messages", False, "", None),
    ],
)
def test_the_content_type_says_how_it_is_cut(
    dialect: Dialect, stream: bool, content_type: str, kind: type | None
) -> None:
    frames = frames_for(dialect, stream, content_type)
    assert frames is None if kind is None else isinstance(frames, kind)
