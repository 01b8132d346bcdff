"""What the ledger has of a stream, whether or not its caller asked, however it is cut."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec import json

from llmring_core.gateway.metering import meter_for
from llmring_core.usage import Tokens
from tests.integration.gateway import DONE, YAML, dechunked, gateway, post, split
from tests.integration.upstream import END, STREAM_HEAD, Sent, always, chunk, upstream

MODEL = "gpt-4o-mini"
USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
COUNTED = Tokens(input_uncached=7, input_cache_read=4, output=5, output_reasoning=2)
ASKING = b'"stream_options":{"include_usage":true},'
NOT_ASKING = (
    b'{"model":"gpt-4o-mini", "messages":[{"role":"user","content":"Hi \xc3\xa9"}],"stream":true}'
)
BY_CALLER = b"{" + ASKING + NOT_ASKING[1:]


def event(**members: Any) -> bytes:
    usual = {"id": "c", "object": "chat.completion.chunk", "model": MODEL, "usage": None}
    return b"data: " + json.encode(usual | members) + b"\n\n"


TEXTS = [
    event(choices=[{"index": 0, "delta": {"content": text}}]) for text in ("Hello", " world", "\n")
]
EXTRA = event(choices=[], usage=USAGE)
SEEN = b"".join([*TEXTS, DONE])
WHOLE = b"".join([*TEXTS, EXTRA, DONE])


def in_chunks(stream: bytes, size: int) -> list[bytes]:
    """The writes of an answer that comes in chunks of ``size`` bytes."""
    cut = [chunk(stream[at : at + size]) for at in range(0, len(stream), size)]
    return [STREAM_HEAD, *cut, END]


async def test_a_caller_who_did_not_ask_sees_nothing_of_the_usage_that_is_billed(
    tmp_path: Path,
) -> None:
    sizes = range(1, 41)
    left = iter(sizes)

    async def answer(_: Sent, writer: asyncio.StreamWriter) -> None:
        for piece in in_chunks(WHOLE, next(left)):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)  # so that several reads are needed

    async with (
        upstream(answer) as provider,
        gateway(tmp_path, provider.url, meters=meter_for) as server,
    ):
        answers = [await server.raw(post(NOT_ASKING)) for _ in sizes]
        records = await server.records()

    assert {dechunked(split(one)[2]) for one in answers} == {(SEEN, True)}
    assert {sent.body for sent in provider.sent} == {BY_CALLER}
    assert {sent.header("content-length")[0] for sent in provider.sent} == {str(len(BY_CALLER))}
    assert len(records) == len(sizes)
    assert {record.tokens for record in records} == {COUNTED}
    assert {(one.usage_source, one.attempt_status) for one in records} == {("provider", "complete")}


@pytest.mark.parametrize("size", [1, 17, 10_000])
async def test_a_caller_who_asked_gets_every_byte(tmp_path: Path, size: int) -> None:
    async with (
        upstream(always(b"".join(in_chunks(WHOLE, size)))) as provider,
        gateway(tmp_path, provider.url, meters=meter_for) as server,
    ):
        answer = await server.raw(post(BY_CALLER))
        [record] = await server.records()

    assert dechunked(split(answer)[2]) == (WHOLE, True)
    assert provider.sent[0].body == BY_CALLER
    assert record.tokens == COUNTED


async def test_a_stream_of_known_length_comes_without_it(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n"
    async with (
        upstream(always(head % len(WHOLE), WHOLE)) as provider,
        gateway(tmp_path, provider.url, meters=meter_for) as server,
    ):
        _, headers, body = split(await server.raw(post(NOT_ASKING)))

    assert "content-length" not in headers
    assert dechunked(body) == (SEEN, True)


async def test_what_came_before_a_break_is_passed_on(tmp_path: Path) -> None:
    begun = WHOLE[: WHOLE.index(EXTRA) + 20]
    async with (
        upstream(always(STREAM_HEAD, chunk(begun), cut=True)) as provider,
        gateway(tmp_path, provider.url, meters=meter_for) as server,
    ):
        answer = await server.raw(post(NOT_ASKING))

    assert dechunked(split(answer)[2]) == (begun, False)


@pytest.mark.parametrize("by", ["setting", "file"])
async def test_nothing_is_changed_where_usage_is_not_to_be_asked_for(
    tmp_path: Path, by: str
) -> None:
    yaml = YAML + "    ask_for_usage: false\n" if by == "file" else YAML
    async with (
        upstream(always(*in_chunks(WHOLE, 50))) as provider,
        gateway(
            tmp_path,
            provider.url,
            yaml,
            meters=meter_for,
            gateway_ask_for_usage="true" if by == "file" else "false",
        ) as server,
    ):
        answer = await server.raw(post(NOT_ASKING))

    assert provider.sent[0].body == NOT_ASKING
    assert dechunked(split(answer)[2]) == (WHOLE, True)
