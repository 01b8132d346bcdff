"""From the management API to the bill: what a team does with the gateway, with a real client."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import json
from openai import AsyncOpenAI, AuthenticationError, RateLimitError

from tests.integration.gateway import DONE, SECRET, YAML
from tests.integration.server import RunningServer, Tenant, run, running
from tests.integration.upstream import END, STREAM_HEAD, Sent, chunk, upstream, whole

MANAGER = "a-management-token"
MODEL = "gpt-4.1"
USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 200,
    "total_tokens": 1200,
    "prompt_tokens_details": {"cached_tokens": 100},
    "completion_tokens_details": {"reasoning_tokens": 50},
}
TEXTS = ("He", "llo")


def part(**members: Any) -> bytes:
    usual = {"id": "c", "object": "chat.completion.chunk", "model": MODEL, "choices": []}
    return b"data: " + json.encode(usual | members) + b"\n\n"


async def answer(sent: Sent, writer: asyncio.StreamWriter) -> None:
    if b'"stream":true' not in sent.body:
        body = {"id": "c", "object": "chat.completion", "choices": [], "usage": USAGE}
        writer.write(whole(json.encode(body)))
        return
    deltas = [{"index": 0, "delta": {"content": text}} for text in TEXTS]
    frames = [*(part(choices=[delta]) for delta in deltas), part(usage=USAGE), DONE]
    writer.write(STREAM_HEAD + b"".join(map(chunk, frames)) + END)


def manage(server: RunningServer, path: str, **body: object) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {MANAGER}"}
    answered = server.http.post(f"/manage/{path}", json=body, headers=headers)
    assert answered.status_code in (200, 201), answered.text
    return dict(answered.json())


def settings(folder: Path, url: str) -> dict[str, str]:
    """A server that forwards to the provider at ``url``, and can be managed."""
    file = folder / "providers.yaml"
    file.write_text(YAML.format(url=url))
    return {"api_config_path": str(file), "management_token": MANAGER}


async def test_a_call_is_admitted_forwarded_metered_and_on_the_bill(
    tmp_path: Path,
) -> None:
    async with upstream(answer) as provider:
        with running(tmp_path, **settings(tmp_path, provider.url)) as server:
            project = manage(server, "projects", name="demo", api_key=SECRET)["id"]
            limits = {"duration_minutes": 60, "max_requests": 2}
            token = manage(server, "tokens", project_id=project, **limits)["token"]

            async with AsyncOpenAI(
                api_key=token, base_url=f"{server.url}/v1", max_retries=0
            ) as client:
                stream = await client.chat.completions.create(
                    model=MODEL,
                    messages=[],
                    stream=True,
                    stream_options={"include_usage": True},
                )
                parts = [one async for one in stream]
                await client.chat.completions.create(model=MODEL, messages=[])
                with pytest.raises(RateLimitError) as refused:
                    await client.chat.completions.create(model=MODEL, messages=[])
            async with AsyncOpenAI(
                api_key="sk-" + "x" * 43, base_url=f"{server.url}/v1", max_retries=0
            ) as stranger:
                with pytest.raises(AuthenticationError):
                    await stranger.chat.completions.create(model=MODEL, messages=[])

            key = run(tmp_path, "keys", "create", "--project", "demo").strip()
            tenant = Tenant(server, key)
            rows, stats = tenant.logs(), tenant.stats()
            tokens = {"input_tokens": 1000, "cached_input_tokens": 100, "output_tokens": 200}
            expected = server.tenant().log(model=MODEL, **tokens)["cost"]

    said = [one.choices[0].delta.content for one in parts if one.choices]
    assert said == list(TEXTS)
    assert [sent.header("authorization") for sent in provider.sent] == [[f"Bearer {SECRET}"]] * 2
    assert refused.value.code == "rate_limit_exceeded"
    assert [row["usage_source"] for row in rows] == ["provider", "provider"]
    assert [row["cost"] for row in rows] == [expected, expected]
    assert {row["output_tokens"] for row in rows} == {200}
    assert Decimal(str(stats["summary"]["total_cost"])) == 2 * Decimal(str(expected))
