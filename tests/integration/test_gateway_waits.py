"""Providers that are slow, away or busy: nobody waits for ever, and no call is made twice."""

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from llmring_core.gateway.forwarding.breaker import FAILURES
from tests.builders.kernel import P2
from tests.integration.gateway import (
    DONE,
    OTHER,
    TOKEN,
    broken_off,
    dechunked,
    error_of,
    gateway,
    post,
    split,
    until,
)
from tests.integration.upstream import (
    END,
    STREAM_HEAD,
    Sent,
    always,
    chunk,
    silent_after,
    upstream,
    whole,
)

FRAMES = [b'data: {"a":1}\n\n', b'data: {"usage":9}\n\n', DONE]
IMPATIENT = {"gateway_first_byte_timeout_s": 0.3, "gateway_idle_timeout_s": 0.3}


def self_signed(folder: Path) -> ssl.SSLContext:
    """A certificate that anybody could have made."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("there is no openssl to make a certificate with")
    words = "req -x509 -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout key.pem -out cert.pem"
    subprocess.run([program, *words.split()], cwd=folder, check=True, capture_output=True)  # noqa: S603
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


async def test_a_provider_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    async with (
        upstream(silent_after()) as provider,
        gateway(tmp_path, provider.url, **IMPATIENT) as server,
    ):
        answer = await server.raw(post())
        [record] = await server.records()
        await until(provider.is_left)

    assert (split(answer)[0], error_of(answer)["code"]) == (504, "timeout")
    assert record.attempt_status == "upstream_error"


async def test_a_provider_that_stops_talking_is_given_up(tmp_path: Path) -> None:
    async with (
        upstream(silent_after(STREAM_HEAD, chunk(FRAMES[0]))) as provider,
        gateway(tmp_path, provider.url, **IMPATIENT) as server,
    ):
        status, _, body = split(await server.raw(post()))
        [record] = await server.records()
        await until(provider.is_left)

    data, ended = dechunked(body)
    assert (status, broken_off(data), ended) == (200, (FRAMES[0], "timeout"), False)
    assert record.attempt_status == "truncated"


async def test_a_stream_outlives_the_limit_for_whole_answers(tmp_path: Path) -> None:
    async def answer(_: Sent, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD)
        for frame in FRAMES:
            await asyncio.sleep(0.15)
            writer.write(chunk(frame))
        writer.write(END)

    async with (
        upstream(answer) as provider,
        gateway(tmp_path, provider.url, gateway_answer_timeout_s=0.1) as server,
    ):
        _, _, body = split(await server.raw(post()))

    assert dechunked(body) == (b"".join(FRAMES), True)


async def test_nobody_listens(tmp_path: Path) -> None:
    async with gateway(tmp_path, "http://127.0.0.1:9") as server:
        answer = await server.raw(post())
        [record] = await server.records()

    assert (split(answer)[0], error_of(answer)["code"]) == (502, "upstream_unreachable")
    assert record.attempt_status == "upstream_error"


async def test_a_provider_that_cannot_prove_who_it_is_gets_nothing(tmp_path: Path) -> None:
    async with upstream(always(whole(b"{}")), self_signed(tmp_path)) as provider:
        url = provider.url.replace("http:", "https:")
        async with gateway(tmp_path, url) as server:
            answer = await server.raw(post())

    assert (split(answer)[0], error_of(answer)["code"]) == (502, "upstream_unreachable")
    assert provider.sent == []


async def test_a_connection_closed_while_idle_costs_nobody_a_call(tmp_path: Path) -> None:
    async def answer(_: Sent, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(b"{}"))
        await writer.drain()
        writer.close()  # without having said so

    async with upstream(answer) as provider, gateway(tmp_path, provider.url) as server:
        statuses = []
        for _ in range(5):
            statuses.append(split(await server.raw(post()))[0])
            await until(provider.is_left)
            await asyncio.sleep(0.01)  # for the news to arrive

    assert statuses == [200] * 5
    assert provider.connections == 5


async def test_connections_are_used_again(tmp_path: Path) -> None:
    async with (
        upstream(always(whole(b"{}"))) as provider,
        gateway(tmp_path, provider.url) as server,
    ):
        for _ in range(5):
            await server.raw(post())

    assert provider.connections == 1


async def test_a_provider_that_fails_is_left_alone_by_the_project_it_fails(
    tmp_path: Path,
) -> None:
    failing = always(whole(b"{}", status=b"503 Service Unavailable"))
    async with upstream(failing) as provider, gateway(tmp_path, provider.url) as server:
        for _ in range(FAILURES):
            assert split(await server.raw(post()))[0] == 503
        refused = await server.raw(post())
        asked = len(provider.sent)
        provider.answer = always(whole(b"{}"))
        other = await server.raw(post().replace(TOKEN.encode(), OTHER.encode()))
        records, others = await server.records(), await server.records(P2)

    assert (split(refused)[0], error_of(refused)["code"]) == (503, "circuit_open")
    assert 1 <= int(split(refused)[1]["retry-after"]) <= 30
    assert asked == FAILURES
    assert split(other)[0] == 200
    assert (len(records), len(others)) == (FAILURES, 1)


async def test_no_more_calls_are_made_at_once_than_allowed(tmp_path: Path) -> None:
    async with (
        upstream(silent_after(STREAM_HEAD)) as provider,
        gateway(tmp_path, provider.url, gateway_max_calls=2, gateway_drain_s=0) as server,
    ):
        opened = [await asyncio.open_connection(*server.address) for _ in range(2)]
        for reader, writer in opened:
            writer.write(post())
            await reader.readuntil(b"\r\n\r\n")
        refused = await server.raw(post())
        for _, writer in opened:
            writer.transport.abort()

    assert (split(refused)[0], error_of(refused)["code"]) == (503, "upstream_busy")
    assert split(refused)[1]["retry-after"] == "1"
