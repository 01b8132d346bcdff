"""Calls that the gateway's cache may answer, and what it says about its answers."""

from decimal import Decimal

from msgspec import json

from llmring_core.gateway.tokens import Token
from llmring_core.ids import TokenId
from tests.integration.gateway import TOKEN, Gateway, split
from tests.integration.upstream import whole

MODEL = "gpt-4o-mini"  # 0.15 and 0.60 dollars per million tokens
FORCED = b"Cache-Control: public, max-age=60"
PUBLIC = b"Cache-Control: public, max-age=60"
SENT = json.encode({"model": MODEL, "messages": [{"role": "user", "content": "Hi é"}]})
USAGE = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
CHAT = json.encode({"object": "chat.completion", "model": MODEL, "choices": [], "usage": USAGE})
COST_USD = Decimal("0.0000135")  # 10 and 20 tokens
MODELS = whole(b'{"data":[]}', PUBLIC, b'ETag: "1"')


def call(
    *headers: bytes,
    method: bytes = b"GET",
    path: bytes = b"/v1/models",
    token: str = TOKEN,
    body: bytes = b"",
) -> bytes:
    """A call as bytes; the connection is closed after its answer."""
    lines = [
        method + b" " + path + b" HTTP/1.1",
        b"Host: test",
        b"Connection: close",
        b"Authorization: Bearer " + token.encode(),
        *headers,
    ]
    if body:
        lines += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chat(*headers: bytes, token: str = TOKEN, body: bytes = SENT) -> bytes:
    return call(*headers, method=b"POST", path=b"/v1/chat/completions", token=token, body=body)


async def standing(server: Gateway, request: bytes) -> str:
    """Make a call, which succeeds, and return what the cache says of it."""
    status, headers, _ = split(await server.raw(request))
    assert status in (200, 304)
    return headers["cache-status"].removeprefix("llm-proxy; ")


async def counted(server: Gateway, id: TokenId) -> Token:
    """The token, once everything is written down that was counted of it."""
    await server.container.tally().flush()
    async with server.container.read()() as work:
        found = await work.tokens.find(id)
    assert found is not None
    return found
