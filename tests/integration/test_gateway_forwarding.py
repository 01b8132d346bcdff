"""The gateway over real sockets: what goes in comes out, at the provider and at the caller."""

from pathlib import Path

from tests.integration.gateway import (
    gateway,
    post,
    split,
)
from tests.integration.upstream import always, upstream, whole

ANSWER = b'{ "id":"x", "n":12345678901234567890123, "usage":7}'


async def test_bytes_in_are_bytes_out(tmp_path: Path) -> None:
    body = b'{"model": "gpt-4o-mini",\n "z":1.10, "a":[12345678901234567890], "\xc3\xa9":"\\u00e9"}'
    async with upstream(always(whole(ANSWER, b"X-RateLimit-Left: 3"))) as provider:
        async with gateway(tmp_path, provider.url) as server:
            status, headers, answer = split(await server.raw(post(body)))
            records = await server.records()
    [sent] = provider.sent
    assert (status, answer) == (200, ANSWER)
    assert (sent.method, sent.target, sent.body) == ("POST", "/v1/chat/completions", body)
    assert headers["x-ratelimit-left"] == "3"
    assert headers["x-proxy"] == "llm-proxy"
    assert "x-llmring-error" not in headers
    [record] = records
    assert (record.model, record.provider) == ("gpt-4o-mini", "openai")
    assert (record.tokens.output, record.usage_source) == (7, "provider")
    assert record.attempt_status == "complete"
    assert record.request_id == headers["x-request-id"]
