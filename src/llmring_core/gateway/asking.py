"""Asking a provider what a chat stream used, where its caller did not."""

from llmring_core.gateway.dialects import asking_for_usage, dialect_of
from llmring_core.gateway.forwarding import Call


def asking(call: Call, body: bytes | None) -> bytes | None:
    """Return what is sent in place of ``body`` so that usage is told; None when ``body`` stays."""
    if body is None or not call.provider.asks_for_usage:
        return None
    dialect = dialect_of(call.method, call.endpoint, call.provider.name)
    return asking_for_usage(body) if dialect == "openai-chat" else None
