"""Whatever a provider sends, its caller gets an answer that is whole, seen to be cut, or a 502.

Nothing is made up, no call is made twice, and the ledger has each call once.
"""

import asyncio
import gzip
from pathlib import Path

import pytest

from tests.integration import speaking
from tests.integration.breaking import breaking
from tests.integration.gateway import DONE, post
from tests.integration.speaking import Used
from tests.integration.upstream import (
    END,
    STREAM_HEAD,
    Sent,
    always,
    chunk,
    silent_after,
    whole,
)

OK = b"HTTP/1.1 200 OK\r\n"
USED = Used(input=10, cached=4, output=7, reasoning=2)
EVENTS = speaking.chat_events(USED, {"content": "Grüezi"})
STREAM = b"".join(EVENTS)
SEEN = b"".join(EVENTS[:-2]) + DONE  # of it, by who did not ask for the usage
STREAMING = post(b'{"model":"gpt-4.1","stream":true}')
ASKING = post(b'{"model":"gpt-4.1","stream":true,"stream_options":{"include_usage":true}}')
EVENT_STREAM = OK + b"Content-Type: text/event-stream\r\n"

NO_HTTP = {
    "a length below zero": OK + b"Content-Length: -1\r\n\r\n{}",
    "a length with a sign": OK + b"Content-Length: +2\r\n\r\n{}",
    "a length in words": OK + b"Content-Length: two\r\n\r\n{}",
    "two lengths in one": OK + b"Content-Length: 2, 3\r\n\r\n{}",
    "a length beside chunks": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n" + END,
    "an encoding nobody asked for": OK + b"Transfer-Encoding: gzip\r\n\r\n{}",
    "a name with a blank": OK + b"Content Length: 2\r\n\r\n{}",
    "a name with a line end": OK + b"X-A\r: b\r\nContent-Length: 2\r\n\r\n{}",
    "a value with a bare line end": OK + b"X-A: b\rX-C: d\r\nContent-Length: 2\r\n\r\n{}",
    "a value with a zero byte": OK + b"X-A: b\0\r\nContent-Length: 2\r\n\r\n{}",
    "a status of two digits": b"HTTP/1.1 99 Strange\r\nContent-Length: 2\r\n\r\n{}",
    "a status that is none": b"HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\n{}",
    "no head at all": b'{"choices":[]}\r\n\r\n',
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "a long reason": b"HTTP/1.1 200 " + b"O" * 10**6 + b"\r\nContent-Length: 2\r\n\r\n{}",
    "a long name": OK + b"X" * 10**6 + b": a\r\nContent-Length: 2\r\n\r\n{}",
    "a hundred megabytes of head": OK + b"X-A: " + b"a" * 10**8,
}


async def test_what_is_no_http_is_a_bad_gateway(tmp_path: Path) -> None:
    async with breaking(tmp_path) as both:
        for case, written in NO_HTTP.items():
            seen = await both.seen(always(written, cut=True))

            assert (seen.status, seen.code) == (502, "upstream_broken"), case
            assert b"X-C" not in seen.body and "x-c" not in seen.headers, case
        asked = len(both.provider.sent)
        records = await both.server.records()

    assert asked == len(records) == 2 * len(NO_HTTP)  # each once, and one that is good
    assert [one.attempt_status for one in records[1::2]] == ["upstream_error"] * len(NO_HTTP)


BROKEN_STREAMS = {
    "no size": b"zz\r\nx\r\n",
    "a size below zero": b"-5\r\nx\r\n",
    "an endless size": b"f" * 400 + b"\r\nx",
    "a size of more than there is": b"ff\r\nx",
    "a chunk longer than its size": b"1\r\nxyz\r\n",
    "a chunk without end": b"5\r\nab",
}


async def test_chunks_that_are_none_cut_the_answer(tmp_path: Path) -> None:
    begun = chunk(EVENTS[0])
    async with breaking(tmp_path) as both:
        for case, broken in BROKEN_STREAMS.items():
            seen = await both.seen(always(STREAM_HEAD + begun, broken, cut=True), ASKING)

            assert seen.status == 200, case
            assert not seen.ended, case
            assert seen.body.startswith(EVENTS[0]), case
            assert DONE not in seen.body, case
        records = await both.server.records()

    assert [one.attempt_status for one in records[1::2]] == ["truncated"] * len(BROKEN_STREAMS)


@pytest.mark.parametrize("asks", [False, True])
async def test_a_stream_that_is_shorter_than_announced_is_cut(tmp_path: Path, asks: bool) -> None:
    head = EVENT_STREAM + b"Content-Length: %d\r\n\r\n" % (len(STREAM) + 5)
    async with breaking(tmp_path) as both:
        seen = await both.seen(always(head + STREAM, cut=True), ASKING if asks else STREAMING)
        _, record = await both.server.records()

    assert seen.is_cut_after(STREAM if asks else SEEN)
    assert record.tokens.output == 5  # all the same: the usage came


async def test_a_stream_that_is_longer_than_announced_ends_there(tmp_path: Path) -> None:
    answer = EVENT_STREAM + b"Content-Length: %d\r\n\r\n" % len(STREAM) + STREAM
    async with breaking(tmp_path) as both:
        seen = await both.seen(always(answer, b"data: evil\n\n"), ASKING)
        _, record = await both.server.records()
        at_once = await both.seen(always(answer + b"data: evil\n\n"), ASKING)

    assert (seen.body, seen.ended) == (STREAM, True)
    assert record.attempt_status == "complete"
    assert b"evil" not in at_once.body


async def test_a_stream_without_length_ends_with_its_marker(tmp_path: Path) -> None:
    whole_one = EVENT_STREAM + b"Connection: close\r\n\r\n" + STREAM
    async with breaking(tmp_path) as both:
        seen = await both.seen(always(whole_one, cut=True), ASKING)
        cut = await both.seen(always(whole_one[: -len(DONE)], cut=True), ASKING)
        records = await both.server.records()

    assert (seen.body, seen.ended) == (STREAM, True)
    assert cut.is_cut_after(STREAM[: -len(DONE)])
    assert [one.attempt_status for one in records[1::2]] == ["truncated", "complete"]


ENCODED = {"gzip": gzip.compress(b'{"usage":{}}'), "br": b"\x0b\x02\x80ok\x03", "gzip, br": b"none"}


async def test_an_encoding_that_was_not_asked_for_passes_unread(tmp_path: Path) -> None:
    async with breaking(tmp_path) as both:
        for name, body in ENCODED.items():
            encoding = b"Content-Encoding: " + name.encode()
            seen = await both.seen(always(whole(body, encoding)))
            assert (seen.status, seen.headers["content-encoding"], seen.body) == (200, name, body)
        records = (await both.server.records())[1::2]

    assert {sent.header("accept-encoding")[0] for sent in both.provider.sent} == {"identity"}
    assert {(one.attempt_status, one.usage_source) for one in records} <= {
        ("complete", "missing"),
        ("complete", "estimated"),
    }


async def test_an_encoded_stream_passes_unread(tmp_path: Path) -> None:
    body = gzip.compress(STREAM)
    head = EVENT_STREAM + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with breaking(tmp_path) as both:
        seen = await both.seen(always(head + chunk(body) + END), STREAMING)
        _, record = await both.server.records()

    assert (seen.body, seen.ended) == (body, True)
    assert (record.attempt_status, record.usage_source) == ("complete", "missing")


UNUSUAL = {
    "an error with 200": whole(b'{"error":{"message":"no","code":"server_error"}}'),
    "no JSON": whole(b"<html>502 Bad Gateway</html>"),
    "no UTF-8": whole(b'{"choices":[{"message":{"content":"\xff\xfe\xc3"}}],"usage":"\xff"}'),
    "half a character": whole(b'{"a":"\xed\xa0\x80"}'),
    "nothing": whole(b""),
    "a number": whole(b"1e400"),
    "deep": whole(b"[" * 100_000),
    "a usage that cannot be": whole(b'{"usage":{"prompt_tokens":-1,"completion_tokens":1e99}}'),
}


async def test_a_body_of_any_kind_passes_and_is_never_billed_by_what_cannot_be(
    tmp_path: Path,
) -> None:
    async with breaking(tmp_path) as both:
        for case, written in UNUSUAL.items():
            seen = await both.seen(always(written))
            assert (seen.status, seen.code, seen.ended) == (200, None, True), case
            assert seen.body == written.partition(b"\r\n\r\n")[2], case
        records = (await both.server.records())[1::2]

    assert len(records) == len(UNUSUAL)
    assert {one.usage_source for one in records} <= {"missing", "estimated"}
    assert {one.cost_usd for one in records if one.usage_source == "missing"} == {None}


async def test_an_error_within_a_stream_passes_as_it_came(tmp_path: Path) -> None:
    error = b'data: {"error":{"message":"no","type":"server_error"}}\n\n'
    spoilt = b"data: \xff\xfe\n\n: \xc3\n\n"
    async with breaking(tmp_path) as both:
        ended = await both.seen(
            always(STREAM_HEAD, *map(chunk, (error, spoilt, DONE)), END), ASKING
        )
        open_end = await both.seen(always(STREAM_HEAD, chunk(EVENTS[0] + error), END), ASKING)
        records = (await both.server.records())[1::2]

    assert (ended.body, ended.ended) == (error + spoilt + DONE, True)
    assert open_end.is_cut_after(EVENTS[0] + error)
    assert {one.attempt_status for one in records} <= {"complete", "truncated", "upstream_error"}


async def test_an_answer_before_the_call_was_read_is_passed_on(tmp_path: Path) -> None:
    refusing = whole(b'{"error":{}}', b"Connection: close", status=b"413 Content Too Large")

    async def answer(_: Sent, writer: asyncio.StreamWriter) -> None:
        writer.write(refusing)
        writer.close()

    async with breaking(tmp_path) as both:
        seen = await both.seen(answer, post(b'{"x":"' + b"y" * 2**20 + b'"}'))

    assert (seen.status, seen.code, seen.body) == (413, None, b'{"error":{}}')


BURSTS = ("429 Too Many Requests", "500 Internal Server Error", "400 Bad Request")


@pytest.mark.parametrize("status", BURSTS)
async def test_errors_that_say_nothing_of_a_providers_health_pass_each_time(
    tmp_path: Path, status: str
) -> None:
    failing = always(whole(b"{}", b"Retry-After: 3", status=status.encode()))
    async with breaking(tmp_path) as both:
        both.provider.answer = failing
        answers = await asyncio.gather(*[both.server.raw(post()) for _ in range(20)])
        records = await both.server.records()

    assert {answer.split(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 " + status.encode()}
    assert all(b"retry-after: 3\r\n" in answer for answer in answers)
    assert len(both.provider.sent) == len(records) == 20  # none was asked a second time
    assert {one.attempt_status for one in records} == {"upstream_error"}


async def test_hints_without_end_are_no_answer(tmp_path: Path) -> None:
    async def answer(_: Sent, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with breaking(tmp_path, gateway_first_byte_timeout_s=0.2) as both:
        seen = await both.seen(answer)

    assert (seen.status, seen.code) == (504, "timeout")


async def test_a_head_that_comes_too_slowly_is_no_answer(tmp_path: Path) -> None:
    async def answer(_: Sent, writer: asyncio.StreamWriter) -> None:
        head = iter(whole(b"{}"))
        while not writer.is_closing():
            writer.write(bytes([next(head)]))
            await asyncio.sleep(0.02)

    async with breaking(tmp_path, gateway_first_byte_timeout_s=0.2) as both:
        seen = await both.seen(answer)

    assert (seen.status, seen.code) == (504, "timeout")


async def test_a_body_that_comes_too_slowly_is_cut(tmp_path: Path) -> None:
    async def answer(_: Sent, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(b"x" * 1000)[:-1000])
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.02)

    async with breaking(tmp_path, gateway_answer_timeout_s=0.2) as both:
        seen = await both.seen(answer)
        _, record = await both.server.records()

    assert (seen.status, seen.ended) == (200, False)
    assert record.attempt_status == "truncated"


async def test_half_an_event_and_then_silence_is_passed_on_and_cut(tmp_path: Path) -> None:
    begun = EVENTS[0] + EVENTS[-2][:30]  # may still become the one that is not shown
    async with breaking(tmp_path, gateway_idle_timeout_s=0.2) as both:
        seen = await both.seen(silent_after(STREAM_HEAD + chunk(begun)), STREAMING)
        _, record = await both.server.records()

    assert seen.is_cut_after(begun)
    assert record.attempt_status == "truncated"
