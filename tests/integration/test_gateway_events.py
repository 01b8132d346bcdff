"""The gateway's events and figures, as whoever runs the server sees them."""

import asyncio
import gc
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import json

from llmring_app.errors import CannotStart
from llmring_app.server import prepare
from llmring_app.settings import Settings
from llmring_core.usage import Tokens
from tests.builders.events import an_event
from tests.integration.gateway import DONE, SECRET, TOKEN, Gateway, gateway, post, split, until
from tests.integration.upstream import END, STREAM_HEAD, Sent, always, chunk, upstream

NOBODY = "http://127.0.0.1:9"  # a provider that is not asked
JSON = b"Accept: application/json"


async def answer_to(server: Gateway, path: str, *headers: bytes) -> tuple[str, bytes]:
    """Return the media type and the body."""
    lines = [b"GET " + path.encode() + b" HTTP/1.1", b"Host: test", b"Connection: close", *headers]
    answer = await server.raw(b"\r\n".join(lines) + b"\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    named = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
    return named["content-type"], body


async def series(server: Gateway, path: str = "/metrics") -> dict[str, float]:
    """Return every sample of the text by its name and labels."""
    media_type, body = await answer_to(server, path)
    assert media_type == "text/plain; version=0.0.4; charset=utf-8"
    lines = [line for line in body.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.decode(line) for line in file.read_bytes().splitlines()]


class TestFileLog:
    async def test_every_event_is_a_line_and_counted(self, tmp_path: Path) -> None:
        file = tmp_path / "events.jsonl"
        async with gateway(tmp_path, NOBODY, file_event_log=file) as server:
            bus = server.container.events()
            assert bus.is_heard
            bus.publish(an_event(request_id="first", response_body=b"answer"))
            await until(lambda: is_written(file))
            found = await series(server)
            assert found['llmring_events_taken_total{listener="file"}'] == 1
            assert found['llmring_events_dropped_total{listener="file"}'] == 0
            bus.publish(an_event(request_id="last"))

        first, last = lines_of(file)
        assert (first["request_id"], last["request_id"]) == ("first", "last")
        assert first["response_body"] == "answer"
        assert file.stat().st_mode & 0o777 == 0o600

    async def test_a_disk_that_is_full_costs_events_only(self, tmp_path: Path) -> None:
        full = Path("/dev/full")
        async with gateway(tmp_path, NOBODY, file_event_log=full) as server:
            server.container.events().publish(an_event())
            await until(lambda: has_lost(server))
            found = await series(server)

        assert found["llmring_event_file_lines_total"] == 0
        assert found["llmring_events_published_total"] == 1

    async def test_without_a_file_nobody_listens(self, tmp_path: Path) -> None:
        async with gateway(tmp_path, NOBODY) as server:
            assert not server.container.events().is_heard
            assert "llmring_event_file_lost_total" not in await series(server)

    def test_a_file_that_cannot_be_written_stops_the_start(self, tmp_path: Path) -> None:
        settings = Settings(file_event_log=str(tmp_path), database_url="sqlite://")

        with pytest.raises(CannotStart, match=r"LLMRING_FILE_EVENT_LOG names .* Is a directory"):
            prepare(settings, "127.0.0.1", port=0, workers=1)


class TestMetrics:
    async def test_figures_are_json_for_who_asks_for_it(self, tmp_path: Path) -> None:
        async with gateway(tmp_path, NOBODY) as server:
            measures = server.container.measures()
            for status in (200, 404, 503):
                measures.gateway.answered(status)
            for standing in ("hit", "bypass", "stored"):
                measures.cache.count(standing)
            media_type, body = await answer_to(server, "/metrics", JSON)

        assert media_type == "application/json"
        figures = json.decode(body)
        assert figures.pop("uptime_seconds") > 0
        assert figures == {
            "request_count": 3,
            "error_count": 2,
            "cache_hits": 1,
            "cache_misses": 1,
            "cache_bypass": 1,
            "cache_stores": 1,
        }

    async def test_the_same_under_the_names_of_other_dashboards(self, tmp_path: Path) -> None:
        async with gateway(tmp_path, NOBODY) as server:
            server.container.gateway_measures().answered(500)
            gc.collect()
            found = await series(server, "/metrics/prometheus")

        assert (found["llm_proxy_requests_total"], found["llm_proxy_errors_total"]) == (1, 1)
        for name in ("hits", "misses", "bypass", "stores"):
            assert found[f"llm_proxy_cache_{name}_total"] == 0
        assert found["llm_proxy_uptime_seconds"] > 0
        assert found["llm_proxy_goroutines"] > 1
        assert found["llm_proxy_gc_runs_total"] > 0
        assert found["llm_proxy_gc_pause_total_seconds"] > 0
        assert found["llm_proxy_memory_sys_bytes"] > found["llm_proxy_memory_heap_alloc_bytes"] > 0

    async def test_calls_are_counted_by_provider(self, tmp_path: Path) -> None:
        async with gateway(tmp_path, NOBODY) as server:
            server.container.gateway_measures().attempted(
                "openai",
                "complete",
                tokens=Tokens(input_uncached=3, output=4),
                cost_usd=Decimal("0.25"),
                first_byte_s=0.2,
                duration_s=3.0,
            )
            found = await series(server)

        one = 'provider="openai"'
        assert found[f'llmring_gateway_calls_total{{outcome="complete",{one}}}'] == 1
        assert found[f'llmring_gateway_tokens_total{{kind="output",{one}}}'] == 4
        assert found[f"llmring_gateway_cost_usd_total{{{one}}}"] == 0.25
        assert found[f'llmring_gateway_first_byte_seconds_bucket{{le="0.25",{one}}}'] == 1
        assert found[f'llmring_gateway_first_byte_seconds_bucket{{le="0.1",{one}}}'] == 0
        assert found[f"llmring_gateway_call_duration_seconds_sum{{{one}}}"] == 3.0


async def is_written(file: Path) -> bool:
    return bool(lines_of(file))


async def has_lost(server: Gateway) -> bool:
    return (await series(server))["llmring_event_file_lost_total"] > 0


BODY = b'{"model":"gpt-4o-mini","messages":[]}'
STREAM = [b'data: {"choices":[]}\n\n', b'data: {"usage":3}\n\n', DONE]


class TestCalls:
    async def test_every_answer_is_an_event_with_what_it_used(self, tmp_path: Path) -> None:
        file = tmp_path / "events.jsonl"
        answer = STREAM_HEAD + b"".join(map(chunk, STREAM)) + END
        bare = b"GET /v1/ HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
        requests = (post(BODY), post(BODY, path=b"/v1/unknown"), bare)
        async with (
            upstream(always(answer)) as provider,
            gateway(tmp_path, provider.url, file_event_log=file) as server,
        ):
            statuses = [split(await server.raw(request))[0] for request in requests]
            found = await series(server)

        called, refused, empty = lines_of(file)
        assert statuses == [200, 404, 404]
        assert (called["status"], refused["status"], empty["status"]) == (200, 404, 404)
        assert (called["method"], called["path"]) == ("POST", "/v1/chat/completions")
        assert called["request_body"].encode() == BODY
        assert called["response_body"].encode() == b"".join(STREAM)
        assert called["duration"] > 0
        assert SECRET not in file.read_text() and TOKEN not in file.read_text()
        assert found["llm_proxy_requests_total"] == 3
        assert found["llm_proxy_errors_total"] == 2
        one = 'provider="openai"'
        assert found[f'llmring_gateway_calls_total{{outcome="complete",{one}}}'] == 1
        assert found[f'llmring_gateway_tokens_total{{kind="output",{one}}}'] == 3

    async def test_a_caller_who_left_is_told_of_once_the_answer_ended(self, tmp_path: Path) -> None:
        file = tmp_path / "events.jsonl"
        answer = STREAM_HEAD + b"".join(map(chunk, STREAM)) + END
        wait = asyncio.Event()

        async def slow(_: Sent, writer: asyncio.StreamWriter) -> None:
            await wait.wait()
            writer.write(answer)

        async with (
            upstream(slow) as provider,
            gateway(tmp_path, provider.url, file_event_log=file) as server,
        ):
            _, writer = await asyncio.open_connection(*server.address)
            writer.write(post(BODY))
            await until(provider.is_asked)
            writer.transport.abort()
            await until(server.is_left)
            wait.set()
            await server.recorded(1)

        [told] = lines_of(file)
        assert (told["path"], told["status"]) == ("/v1/chat/completions", 0)
