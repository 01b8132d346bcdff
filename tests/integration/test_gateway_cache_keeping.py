"""What is kept of answers that pass: whole ones, and nothing else."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from llmring_core.gateway.metering import meter_for
from llmring_core.usage import Tokens
from tests.integration.cached import CHAT, FORCED, PUBLIC, call, chat, standing
from tests.integration.gateway import Gateway, dechunked, gateway, split, until
from tests.integration.test_gateway_usage import COUNTED, NOT_ASKING, SEEN, TEXTS, WHOLE, in_chunks
from tests.integration.upstream import (
    END,
    STREAM_HEAD,
    Answer,
    Sent,
    always,
    chunk,
    upstream,
    whole,
)

STREAMED = chat(FORCED, body=NOT_ASKING)
UNFRAMED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
MARKED = "x-cache-debug"


async def twice(server: Gateway, request: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """Make a call twice, and return the headers of both answers."""
    first, second = [split(await server.raw(request))[1] for _ in range(2)]
    return first, second


async def test_a_stream_comes_back_whole_and_without_what_its_caller_did_not_ask_for(
    tmp_path: Path,
) -> None:
    async with (
        upstream(always(*in_chunks(WHOLE, 40))) as provider,
        gateway(
            tmp_path, provider.url, meters=meter_for, http_cache_stream_responses="true"
        ) as server,
    ):
        answers = [split(await server.raw(STREAMED)) for _ in range(2)]
        hit, made = await server.records()

    assert len(provider.sent) == 1
    assert [dechunked(body) for _, _, body in answers] == [(SEEN, True)] * 2
    assert answers[0][1]["cache-status"] == "llm-proxy; miss"  # it might have broken off
    assert answers[1][1]["cache-status"] == "llm-proxy; hit"
    assert answers[1][1]["content-type"] == "text/event-stream"
    assert (made.tokens, hit.tokens) == (COUNTED, Tokens())
    assert Decimal(str(hit.metadata["saved_usd"])) == made.cost_usd


async def test_streams_are_not_kept_unless_that_is_set(tmp_path: Path) -> None:
    async with (
        upstream(always(*in_chunks(WHOLE, 400))) as provider,
        gateway(tmp_path, provider.url, meters=meter_for) as server,
    ):
        first, second = await twice(server, STREAMED)

    assert len(provider.sent) == 2
    assert first[MARKED] == second[MARKED] == "streaming-response"


async def test_a_stream_whose_end_nobody_knows_is_not_kept(tmp_path: Path) -> None:
    head = STREAM_HEAD[:-2] + PUBLIC + b"\r\n\r\n"
    async with (
        upstream(always(head, *map(chunk, TEXTS), END)) as provider,
        gateway(
            tmp_path, provider.url, meters=meter_for, http_cache_stream_responses="true"
        ) as server,
    ):
        await twice(server, call())

    assert len(provider.sent) == 2


# Broken ones apart: after five in a row nobody would be asked.
NOT_KEPT: dict[str, Answer] = {
    "a broken stream": always(STREAM_HEAD, *map(chunk, TEXTS), cut=True),
    "an error in a 200": always(whole(b'{"error":{"code":"server_error","message":"no"}}')),
    "a stream without its marker": always(STREAM_HEAD, *map(chunk, TEXTS), END),
    "500": always(whole(CHAT, status=b"500 Oh")),
    "a broken answer": always(whole(CHAT)[:-1], cut=True),
    "a stream that tells an error": always(
        STREAM_HEAD, chunk(b'data: {"error":{"code":"x"}}\n\ndata: [DONE]\n\n'), END
    ),
    "no-store": always(whole(CHAT, b"Cache-Control: no-store")),
    "private": always(whole(CHAT, b"Cache-Control: private")),
    "vary": always(whole(CHAT, b"Vary: *")),
    "an answer of unknown length": always(UNFRAMED + CHAT, cut=True),
}


async def test_what_is_not_whole_or_not_to_be_kept_is_asked_for_anew(tmp_path: Path) -> None:
    async def answer(_: Sent, writer: asyncio.StreamWriter) -> None:
        await NOT_KEPT[asked](_, writer)

    async with (
        upstream(answer) as provider,
        gateway(
            tmp_path, provider.url, meters=meter_for, http_cache_stream_responses="true"
        ) as server,
    ):
        counts = {}
        for number, asked in enumerate(NOT_KEPT, 1):
            request = chat(FORCED, body=NOT_ASKING + b" " * number)
            before = len(provider.sent)
            for _ in range(2):
                await server.raw(request)
            counts[asked] = len(provider.sent) - before

    assert counts == dict.fromkeys(NOT_KEPT, 2)


@pytest.mark.parametrize("is_announced", [True, False])
async def test_what_is_too_large_passes_and_is_not_kept(tmp_path: Path, is_announced: bool) -> None:
    body = b"[" + b"1," * 1000 + b"1]"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: public\r\n\r\n"
    answer = whole(body, PUBLIC) if is_announced else head + chunk(body) + END
    async with (
        upstream(always(answer)) as provider,
        gateway(tmp_path, provider.url, http_cache_max_object_bytes=1024) as server,
    ):
        answers = [split(await server.raw(call()))[2] for _ in range(2)]

    assert len(provider.sent) == 2
    assert answers[0] == answers[1]
    assert body in answers[0]


async def test_who_waits_goes_on_alone_where_the_answer_is_not_for_others(tmp_path: Path) -> None:
    """As soon as the head says so: the first answer ends only when all others have come."""
    others = asyncio.Event()

    async def answer(_: Sent, writer: asyncio.StreamWriter) -> None:
        is_first = len(provider.sent) == 1
        writer.write(whole(CHAT)[: -len(CHAT)])
        await writer.drain()
        if is_first:
            await others.wait()
        writer.write(CHAT)

    async with upstream(answer) as provider, gateway(tmp_path, provider.url) as server:
        first = asyncio.create_task(server.raw(call()))
        await until(provider.is_asked)
        bodies = [split(await server.raw(call()))[2] for _ in range(3)]
        others.set()
        bodies.append(split(await first)[2])

    assert bodies == [CHAT] * 4


async def test_what_the_first_who_asked_left_behind_is_there_for_the_others(
    tmp_path: Path,
) -> None:
    goes_on = asyncio.Event()

    async def answer(_: Sent, writer: asyncio.StreamWriter) -> None:
        await goes_on.wait()
        writer.write(whole(CHAT))

    async with (
        upstream(answer) as provider,
        gateway(tmp_path, provider.url, meters=meter_for) as server,
    ):
        _, writer = await asyncio.open_connection(*server.address)
        writer.write(chat(FORCED))
        await until(provider.is_asked)
        writer.transport.abort()
        await until(server.is_left)
        goes_on.set()
        assert await standing(server, chat(FORCED)) == "hit"
        kinds = [(record.kind, record.attempt_status) for record in await server.records()]

    assert kinds == [("cache_hit", "complete"), ("call", "client_disconnected")]
    assert len(provider.sent) == 1


FALLBACKS = """
default_api: openai
apis:
  openai: &usual
    base_url: {url}
    allowed_endpoints: [/v1/chat/completions]
    allowed_methods: [POST]
  other: *usual
"""


async def test_what_another_provider_answered_is_not_kept(tmp_path: Path) -> None:
    async def answer(sent: Sent, writer: asyncio.StreamWriter) -> None:
        fails = (
            sent.header("authorization") == ["Bearer sk-provider-secret"] and len(provider.sent) % 2
        )
        writer.write(whole(CHAT, status=b"503 Busy") if fails else whole(CHAT))

    keys: dict[str, Any] = {"keys": ("openai", "other"), "project": {"fallbacks": ("other",)}}
    async with (
        upstream(answer) as provider,
        gateway(tmp_path, provider.url, FALLBACKS, meters=meter_for, **keys) as server,
    ):
        first, second = await twice(server, chat(FORCED))

    assert len(provider.sent) == 4
    assert first[MARKED] == second[MARKED] == "other-provider"
    assert first["cache-status"] == "llm-proxy; miss"
