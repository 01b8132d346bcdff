"""Providers and calls."""

from typing import Any

from msgspec.structs import replace

from llmring_core.gateway.forwarding import (
    Attempt,
    Head,
    Metered,
    Provider,
    Providers,
    Timeouts,
)
from llmring_core.ids import UsageId
from tests.builders.kernel import P1
from tests.builders.usage import TOKENS

TIMEOUTS = Timeouts(
    connect_s=5, first_byte_s=120, idle_s=60, answer_s=900, stream_s=3600, keep_alive_s=30
)
PROVIDER = Provider(
    name="openai",
    origin="https://api.openai.com",
    base_path="",
    credential="bearer",
    endpoints=("/v1/chat/completions", "/v1/models", "/v1/models/*"),
    methods=frozenset({"GET", "POST", "OPTIONS"}),
    timeouts=TIMEOUTS,
    params={},
    origins=frozenset(),
    required_headers=(),
    asks_for_usage=True,
    models=(),
)
CLAUDE = replace(
    PROVIDER,
    name="anthropic",
    origin="https://api.anthropic.com",
    credential="x-api-key",
    endpoints=("/v1/messages",),
    methods=frozenset({"POST"}),
    models=("claude-*",),
)

FORWARDED = Attempt(
    id=UsageId("01990000-0000-7000-8000-0000000000bb"),
    project=P1,
    token_id="01990000-0000-7000-8000-0000000000aa",  # noqa: S106  no secret
    provider="openai",
    method="POST",
    endpoint="/v1/chat/completions",
    model="gpt-4o-mini",
    status=200,
    outcome="complete",
    metered=Metered(tokens=TOKENS, source="provider"),
    latency_ms=1234,
    request_id="req-1",
)


def provider(**changes: Any) -> Provider:
    return replace(PROVIDER, **changes)


def providers(*some: Provider) -> Providers:
    """Return these, the first as the default."""
    return Providers(by_name={one.name: one for one in some}, default=some[0])


def head(method: str = "POST", path: str = "/v1/chat/completions", **headers: str) -> Head:
    """Return a call's head; ``path`` may hold a query."""
    raw, _, query = path.partition("?")
    fields = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return Head(method=method, raw_path=raw.encode(), query=query.encode(), headers=fields)
