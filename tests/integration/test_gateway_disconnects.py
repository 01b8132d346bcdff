"""Callers who leave: their call is metered all the same, and nothing stays open for them."""

import asyncio
import gc
from pathlib import Path

import psutil
import pytest

from llmring_adapters.gateway.web import WebUpstream
from llmring_core.gateway.forwarding.breaker import FAILURES
from tests.integration.gateway import DONE, Gateway, gateway, post, until
from tests.integration.upstream import (
    END,
    STREAM_HEAD,
    ScriptedUpstream,
    Sent,
    always,
    chunk,
    upstream,
    whole,
)

FRAMES = [b'data: {"n":%d}\n\n' % number for number in range(6)] + [
    b'data: {"usage":9}\n\n',
    DONE,
]


async def by_frames(_: Sent, writer: asyncio.StreamWriter) -> None:
    writer.write(STREAM_HEAD)
    for frame in FRAMES:
        writer.write(chunk(frame))
        await asyncio.sleep(0.002)
    writer.write(END)


async def for_ever(_: Sent, writer: asyncio.StreamWriter) -> None:
    writer.write(STREAM_HEAD)
    while not writer.is_closing():
        writer.write(chunk(FRAMES[0]))
        await writer.drain()
        await asyncio.sleep(0.001)


async def left_after(server: Gateway, size: int) -> None:
    """Call, read the head and as many bytes of the body, or a few more, and leave with RST."""
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(post())
    if size >= 0:
        await reader.readuntil(b"\r\n\r\n")
        length = 1
        while size > 0 and length > 0:  # chunks, however they were joined on their way
            length = int(await reader.readuntil(b"\r\n"), 16)
            size -= len(await reader.readexactly(length + len(b"\r\n"))) - len(b"\r\n")
    writer.transport.abort()


@pytest.mark.parametrize("drain_s", [10, 0])
async def test_who_leaves_at_any_frame_is_recorded_once(tmp_path: Path, drain_s: int) -> None:
    sizes = [sum(map(len, FRAMES[:count])) for count in range(len(FRAMES) + 1)]
    async with (
        upstream(by_frames) as provider,
        gateway(tmp_path, provider.url, gateway_drain_s=drain_s) as server,
    ):
        for size in [-1, *sizes]:
            await left_after(server, size)
        await server.recorded(len(sizes))
        await nothing_is_asked(server)
        records = await server.records()

    assert (
        len(records) == len(provider.sent) >= len(sizes)
    )  # who left at once, may not be asked for
    if drain_s:  # it was read to its end
        assert {record.tokens.output for record in records} == {9}
    statuses = {record.attempt_status for record in records}
    assert statuses <= {"client_disconnected", "complete"}
    assert "client_disconnected" in statuses


async def test_nothing_stays_open_for_hundreds_who_left(tmp_path: Path) -> None:
    async with (
        upstream(by_frames) as provider,
        gateway(tmp_path, provider.url, gateway_drain_s=0, gateway_keep_alive_s=0.1) as server,
    ):
        await server.raw(post())
        before, files = len(asyncio.all_tasks()), psutil.Process().num_fds()
        for number in range(300):
            await left_after(server, number % 90)
        await nothing_is_asked(server)
        await server.raw(post())

        async def is_as_before() -> bool:
            gc.collect()
            tasks, opened = len(asyncio.all_tasks()), psutil.Process().num_fds()
            return tasks <= before and opened <= files

        await until(is_as_before)
        records = await server.records()

    assert len(records) == len(provider.sent) > 290


async def test_an_endless_answer_is_read_for_nobody_only_so_long(tmp_path: Path) -> None:
    async with (
        upstream(for_ever) as provider,
        gateway(tmp_path, provider.url, gateway_drain_s=0.2) as server,
    ):
        await left_after(server, 0)
        [record] = await server.recorded()
        await until(provider.is_left)

    assert (record.attempt_status, record.usage_source) == ("client_disconnected", "missing")


async def test_an_endless_answer_is_read_for_nobody_only_so_far(tmp_path: Path) -> None:
    async def much(_: Sent, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD)
        while not writer.is_closing():
            writer.write(chunk(b"x" * 1024))
            await writer.drain()

    async with (
        upstream(much) as provider,
        gateway(tmp_path, provider.url, gateway_drain_s=3600, gateway_drain_bytes=2**16) as server,
    ):
        await left_after(server, 0)
        [record] = await server.recorded()
        await until(provider.is_left)

    assert record.attempt_status == "client_disconnected"


async def test_who_leaves_before_an_answer_still_pays_for_it(tmp_path: Path) -> None:
    async def late(_: Sent, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(whole(b'{"usage":7}'))

    async with upstream(late) as provider, gateway(tmp_path, provider.url) as server:
        _, writer = await asyncio.open_connection(*server.address)
        writer.write(post())
        await until(provider.is_asked)
        writer.transport.abort()
        [record] = await server.recorded()

    assert (record.attempt_status, record.tokens.output) == ("client_disconnected", 7)


async def test_who_leaves_while_sending_leaves_no_call_behind(tmp_path: Path) -> None:
    head = post(b"x" * 1000, path=b"/v1/files").replace(b"application/json", b"text/plain")
    async with (
        upstream(always(whole(b"{}"))) as provider,
        gateway(tmp_path, provider.url) as server,
    ):
        _, writer = await asyncio.open_connection(*server.address)
        writer.write(head[:-500])
        await until(provider.is_asked)
        writer.transport.abort()
        [record] = await server.recorded()
        await until(provider.is_left)

    assert provider.sent == []
    assert record.attempt_status in ("client_disconnected", "upstream_error")


async def test_who_takes_nothing_any_more_is_let_go(tmp_path: Path) -> None:
    async def much(_: Sent, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD)
        for _ in range(600):
            writer.write(chunk(b"x" * 2**16))
            await writer.drain()
        writer.write(END)

    async with (
        upstream(much) as provider,
        gateway(tmp_path, provider.url, gateway_idle_timeout_s=0.5) as server,
    ):
        reader, writer = await asyncio.open_connection(*server.address, limit=2**10)
        writer.write(post())
        await reader.readuntil(b"\r\n\r\n")
        [record] = await server.recorded()
        await until(server.is_left)  # although what was written is still on its way
        rest = await reader.read()
        writer.close()

    assert not rest.endswith(END)
    assert record.attempt_status == "client_disconnected"


async def test_a_server_asked_to_stop_records_what_it_still_reads(tmp_path: Path) -> None:
    async with upstream(for_ever) as provider:
        async with gateway(tmp_path, provider.url, gateway_drain_s=3600) as server:
            await left_after(server, 0)
            container = server.container
        await until(provider.is_left)

        engine = container.engine()
        [record] = await server.records()
        await engine.dispose()

    assert record.attempt_status == "client_disconnected"


async def nothing_is_asked(server: Gateway) -> None:
    async def is_idle() -> bool:
        web = server.container.upstream()
        assert isinstance(web, WebUpstream)
        return web._slots["openai"] == 0

    await until(is_idle)


async def test_who_leaves_while_sending_does_not_speak_against_the_provider(tmp_path: Path) -> None:
    upload = post(b"", b"Transfer-Encoding: chunked", path=b"/v1/files")
    upload = upload.replace(b"Content-Length: 0\r\n", b"").replace(
        b"application/json", b"application/octet-stream"
    )
    async with (
        upstream(always(whole(b"{}"))) as provider,
        gateway(tmp_path, provider.url) as server,
    ):
        for number in range(FAILURES + 1):
            _, writer = await asyncio.open_connection(*server.address)
            writer.write(upload + b"5\r\nhello\r\n")
            asked = number + 1
            await until(lambda asked=asked: is_connected(provider, asked))
            writer.transport.abort()
        records = await server.recorded(FAILURES + 1)
        await nothing_is_asked(server)
        status = (await server.raw(post()))[:12]

    assert {record.attempt_status for record in records} == {"client_disconnected"}
    assert status == b"HTTP/1.1 200"


async def is_connected(provider: ScriptedUpstream, times: int) -> bool:
    return provider.connections >= times
