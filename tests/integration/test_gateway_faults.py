"""Providers that misbehave: the caller learns of it, and the ledger has it once."""

import asyncio
from pathlib import Path

import pytest

from llmring_core.usage import UsageRecord
from tests.builders.usage import RECORD
from tests.integration.gateway import (
    DONE,
    Gateway,
    broken_off,
    dechunked,
    error_of,
    gateway,
    post,
    split,
)
from tests.integration.upstream import (
    END,
    STREAM_HEAD,
    always,
    chunk,
    upstream,
    whole,
)

FRAMES = [b'data: {"a":1}\n\n', b'data: {"usage":9}\n\n', DONE]
STREAM = STREAM_HEAD + b"".join(map(chunk, FRAMES)) + END


# What the provider writes before it closes, and the code its caller gets with 502.
BROKEN_HEADS = {
    "nothing": (b"", "upstream_broken"),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "upstream_broken"),
    "a head that does not end": (b"HTTP/1.1 200 OK\r\nContent-", "upstream_broken"),
    "a huge header": (
        b"HTTP/1.1 200 OK\r\nX-Huge: " + b"a" * 10**6 + b"\r\n\r\n",
        "upstream_broken",
    ),
    "many headers": (
        b"HTTP/1.1 200 OK\r\n" + b"X-Many: a\r\n" * 2000 + b"\r\n",
        "upstream_broken",
    ),
    "another protocol": (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "upstream_broken",
    ),
    "two lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "upstream_broken",
    ),
    "a redirect": (
        whole(b"", b"Location: http://127.0.0.1:9/", status=b"302 Found"),
        "upstream_redirects",
    ),
    "a lasting redirect": (
        whole(b"", b"Location: /v1/other", status=b"308 Permanent Redirect"),
        "upstream_redirects",
    ),
}


@pytest.mark.parametrize("case", BROKEN_HEADS)
async def test_no_answer_at_all_is_a_bad_gateway(tmp_path: Path, case: str) -> None:
    written, code = BROKEN_HEADS[case]
    async with (
        upstream(always(written, cut=True)) as provider,
        gateway(tmp_path, provider.url) as server,
    ):
        answer = await server.raw(post())
        [record] = await server.records()

    status, headers, _ = split(answer)
    assert (status, error_of(answer)["code"]) == (502, code)
    assert headers["x-llmring-error"] == code
    assert "location" not in headers
    assert len(provider.sent) == 1  # what may have been done is not asked for again
    assert (record.attempt_status, record.usage_source) == ("upstream_error", "missing")


async def test_a_stream_cut_anywhere_is_seen_to_be_cut(tmp_path: Path) -> None:
    data = b"".join(FRAMES)
    cuts = range(1, len(STREAM))
    async with upstream(always()) as provider, gateway(tmp_path, provider.url) as server:
        for cut in cuts:
            provider.answer = always(STREAM[:cut], cut=True)
            forget_failures(server)
            answer = await server.raw(post())
            status, headers, body = split(answer)
            if cut < len(STREAM_HEAD):
                assert (status, headers["x-llmring-error"]) == (502, "upstream_broken"), cut
                continue
            received, ended = dechunked(body)
            received, code = broken_off(received)
            assert status == 200
            assert data.startswith(received), cut
            told = not received or received.endswith(b"\n\n")  # else it stood in a frame
            assert code == ("upstream_broken" if told and DONE not in received else None), cut
            assert not ended, cut
            sent, _ = dechunked(STREAM[len(STREAM_HEAD) : cut])
            assert received == sent, cut  # all that came, also what came last
        records = await server.recorded(len(cuts))

    assert len(records) == len(cuts)
    statuses = [record.attempt_status for record in reversed(records)]
    assert statuses[: len(STREAM_HEAD) - 1] == ["upstream_error"] * (len(STREAM_HEAD) - 1)
    assert set(statuses[len(STREAM_HEAD) :]) == {"truncated", "complete"}


def forget_failures(server: Gateway) -> None:
    server.container.breaker()._circuits.clear()


async def test_what_came_just_before_the_cut_is_passed_on(tmp_path: Path) -> None:
    class Slow:
        async def __call__(self, _: object) -> UsageRecord:
            await asyncio.sleep(0.1)  # meanwhile the provider says more, and is gone
            return RECORD

    last = b": bye\n\n"
    pieces = (STREAM_HEAD + chunk(DONE), chunk(last))
    async with (
        upstream(always(*pieces, cut=True)) as provider,
        gateway(tmp_path, provider.url, record=Slow()) as server,
    ):
        _, _, body = split(await server.raw(post()))

    assert dechunked(body) == (DONE + last, False)


async def test_a_stream_without_its_marker_is_cut_too(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with (
        upstream(always(STREAM_HEAD + chunk(FRAMES[0]) + END)) as provider,
        gateway(tmp_path, provider.url) as server,
    ):
        _, _, body = split(await server.raw(post()))
        [record] = await server.records()

    data, ended = dechunked(body)
    assert (broken_off(data), ended) == ((FRAMES[0], "upstream_broken"), False)
    assert record.attempt_status == "truncated"
    assert "ASGI" not in capfd.readouterr().err  # it is no mistake of ours


async def test_a_body_shorter_than_announced_stays_short(tmp_path: Path) -> None:
    cut = always(whole(b"0123456789")[:-3], cut=True)
    async with upstream(cut) as provider, gateway(tmp_path, provider.url) as server:
        status, headers, body = split(await server.raw(post()))
        [record] = await server.records()

    assert (status, headers["content-length"], body) == (200, "10", b"0123456")
    assert record.attempt_status == "truncated"


async def test_more_than_announced_is_not_taken_for_the_next_answer(tmp_path: Path) -> None:
    extra = b'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"evil"'
    async with (
        upstream(always(whole(b"{}") + extra)) as provider,
        gateway(tmp_path, provider.url) as server,
    ):
        answers = [split(await server.raw(post())) for _ in range(3)]

    assert [body for _, _, body in answers] == [b"{}"] * 3


PASSED_ON = {
    "bad gzip": whole(b"\x1f\x8b\x08nonsense", b"Content-Encoding: gzip"),
    "too many requests": whole(
        b'{"error":{"message":"slow down"}}',
        b"Retry-After: 7",
        b"X-RateLimit-Remaining-Tokens: 0",
        status=b"429 Too Many Requests",
    ),
    "a key that is none": whole(b'{"error":{}}', status=b"401 Unauthorized"),
    "an error without a body": whole(b"", status=b"500 Internal Server Error"),
    "no text": whole(b"\xff\xfe\x00"),
    "hints before": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
    + whole(b"{}"),
    "no content": b"HTTP/1.1 204 No Content\r\nETag: a\r\n\r\n",
    "nothing new": b"HTTP/1.1 304 Not Modified\r\nETag: a\r\n\r\n",
    "a status of its own": whole(b"{}", status=b"200 Whatever"),
}


@pytest.mark.parametrize("case", PASSED_ON)
async def test_what_a_provider_answers_passes_as_it_is(tmp_path: Path, case: str) -> None:
    async with (
        upstream(always(PASSED_ON[case])) as provider,
        gateway(tmp_path, provider.url) as server,
    ):
        status, headers, body = split(await server.raw(post()))
        [record] = await server.records()

    expected_status, expected, expected_body = split(
        b"HTTP/1.1" + PASSED_ON[case].rpartition(b"HTTP/1.1")[2]
    )
    assert (status, body) == (expected_status, expected_body)
    assert expected.items() <= headers.items()
    assert "x-llmring-error" not in headers
    assert (record.attempt_status == "upstream_error") == (status >= 400)
