"""The guard in front of everything, over raw sockets: what no HTTP library would send."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import json

from tests.integration.server import RunningServer, raw, raw_request, running

KIB = 1024
BODY = b'{"provider":"openai","model":"gpt-4.1","input_tokens":1000,"output_tokens":200}'
KEY = b"X-API-Key: llmr_pk_00000000000000000000000000000001"
TYPE = b"Content-Type: application/json"


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that waits one second for what a caller owes it."""
    folder = tmp_path_factory.mktemp("guard")
    with running(folder, header_timeout_s="1", body_timeout_s="1") as server:
        yield server


def lines(*some: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join(some) + b"\r\n\r\n" + body


def post(*headers: bytes, body: bytes = BODY, length: int | None = None) -> bytes:
    length = len(body) if length is None else length
    return lines(
        b"POST /api/v1/log HTTP/1.1",
        b"Host: test",
        b"Connection: close",
        KEY,
        TYPE,
        b"Content-Length: %d" % length,
        *headers,
        body=body,
    )


def get(*headers: bytes, path: bytes = b"/health/live") -> bytes:
    return lines(b"GET " + path + b" HTTP/1.1", b"Host: test", b"Connection: close", *headers)


def chunked(body: bytes, size: int = 64 * KIB) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


CHUNKED = lines(
    b"POST /api/v1/log HTTP/1.1",
    b"Host: test",
    b"Connection: close",
    KEY,
    TYPE,
    b"Transfer-Encoding: chunked",
)

REFUSED = {
    "no host": (400, lines(b"GET /health/live HTTP/1.1")),
    "two hosts": (400, get(b"Host: other")),
    "two equal hosts": (400, get(b"Host: test")),
    "length and encoding": (400, post(b"Transfer-Encoding: chunked")),
    "encoding and length": (400, CHUNKED[:-2] + b"Content-Length: 3\r\n\r\n" + chunked(BODY)),
    "two equal lengths": (400, post(b"Content-Length: %d" % len(BODY))),
    "two lengths": (400, post(b"Content-Length: 1")),
    "a signed length": (400, get(b"Content-Length: +1")),
    "a negative length": (400, get(b"Content-Length: -1")),
    "an unknown encoding": (400, CHUNKED.replace(b"chunked", b"xchunked") + chunked(BODY)),
    "a chunk size with a prefix": (400, CHUNKED + b"0x1\r\na\r\n0\r\n\r\n"),
    "a chunk that ends in a bare line feed": (400, CHUNKED + b"1\na\n0\n\n"),
    "bare line feeds": (400, b"GET /health/live HTTP/1.1\nHost: test\n\n"),
    "a folded header": (400, get(b"X-Folded: a\r\n b")),
    "a blank before the colon": (400, get(b"X-Blank : a")),
    "a control character": (400, get(b"X-Control: a\x01b")),
    "a NUL": (400, get(b"X-Nul: a\0b")),
    "101 headers": (431, get(*(b"X-%d: a" % number for number in range(99)))),
    "2000 headers": (431, get(*(b"X-%d: a" % number for number in range(2000)))),
    "a header of 17 KiB": (431, get(b"X-Long: " + b"a" * 17 * KIB)),
    "a header of 1 MiB": (431, get(b"X-Long: " + b"a" * KIB * KIB)),
    "headers of 65 KiB": (431, get(*(b"X-%d: " % n + b"a" * 13 * KIB for n in range(5)))),
    "an address of 9 KiB": (414, get(path=b"/" + b"a" * 9 * KIB)),
    "an address of 70 KiB": (414, get(path=b"/" + b"a" * 70 * KIB)),
    "no method": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "HTTP/3.0": (400, lines(b"GET / HTTP/3.0", b"Host: test")),
    "HTTP/0.9": (400, b"GET /\r\n\r\n"),
    "a blank in the address": (400, get(path=b"/health /live")),
    "gzip": (415, post(b"Content-Encoding: gzip")),
    "twice gzip": (415, post(b"Content-Encoding: gzip, gzip")),
    "brotli": (415, post(b"Content-Encoding: br")),
    "announced too long": (413, post(body=b"", length=2 * KIB * KIB)),
    "chunked too long": (413, CHUNKED + chunked(b" " * 2 * KIB * KIB)),
    "chunked far too long": (413, CHUNKED + chunked(b" " * 20 * KIB * KIB)),
    "a dot segment": (404, get(path=b"/health/../health/live")),
    "an encoded dot segment": (404, get(path=b"/health/%2e%2E/health/live")),
    "an encoded slash": (404, get(path=b"/health%2Flive")),
    "a backslash": (404, get(path=b"/health\\live")),
    "an encoded backslash": (404, get(path=b"/health%5clive")),
    "an encoded NUL": (404, get(path=b"/health/live%00")),
    "an address that is no UTF-8": (404, get(path=b"/health/live%ff")),
    "an overlong address": (404, get(path=b"/health/%c0%afive")),
}


class TestRefused:
    @pytest.mark.parametrize("name", REFUSED)
    async def test_with_a_readable_answer(self, impatient: RunningServer, name: str) -> None:
        status, request = REFUSED[name]
        answer = await raw(impatient, request)
        assert answer.status == status, answer
        problem = json.decode(answer.body)
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["status"] == status
        assert problem["request_id"] == answer.headers["x-request-id"]
        assert problem["detail"]

    async def test_and_nothing_is_stored(self, impatient: RunningServer) -> None:
        for _, request in REFUSED.values():
            await raw(impatient, request)
        answer = await raw(impatient, get(KEY, path=b"/api/v1/logs"))
        assert (answer.status, answer.body) == (200, b"[]")

    async def test_and_what_follows_on_the_connection_is_no_request(
        self, impatient: RunningServer
    ) -> None:
        smuggled = lines(b"GET /api/v1/logs HTTP/1.1", b"Host: test", KEY)
        both = post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + smuggled)
        answer = await raw(impatient, both.replace(b"Connection: close\r\n", b""))
        assert answer.status == 400
        assert b"HTTP/1.1 200" not in answer.body


class TestTaken:
    @pytest.mark.parametrize(
        "request_",
        [
            get(*(b"X-%d: a" % number for number in range(98))),
            get(b"X-Long: " + b"a" * 15 * KIB),
            get(*(b"X-%d: " % n + b"a" * 12 * KIB for n in range(5))),
            get(path=b"/health/live?" + b"a" * 7 * KIB),
            get(b"Content-Encoding: identity"),
            get(path=b"/health/%6Cive"),
        ],
        ids=["100 headers", "a long one", "60 KiB", "a long address", "identity", "an encoded l"],
    )
    async def test_up_to_each_limit(self, impatient: RunningServer, request_: bytes) -> None:
        assert (await raw(impatient, request_)).status == 200

    async def test_byte_by_byte(self, impatient: RunningServer) -> None:
        reader, writer = await asyncio.open_connection(*impatient.address)
        for byte in post():
            writer.write(bytes([byte]))
            await writer.drain()
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()

    async def test_chunked(self, impatient: RunningServer) -> None:
        assert (await raw(impatient, CHUNKED + chunked(BODY, 7))).status == 200

    async def test_after_100_continue(self, impatient: RunningServer) -> None:
        reader, writer = await asyncio.open_connection(*impatient.address)
        writer.write(post(b"Expect: 100-continue").removesuffix(BODY))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(BODY)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()

    async def test_several_on_one_connection(self, impatient: RunningServer) -> None:
        one = post().replace(b"Connection: close\r\n", b"")
        reader, writer = await asyncio.open_connection(*impatient.address)
        writer.write(one + one + post())
        answers = await reader.read()
        assert answers.count(b"HTTP/1.1 200 ") == 3
        writer.close()


class TestLate:
    @pytest.mark.parametrize(
        "begun",
        [b"GET /health/live HTTP/1.1\r\nHost: te", b"G", b"\r\n"],
        ids=["a header", "a method", "a line"],
    )
    async def test_headers_are_refused(self, impatient: RunningServer, begun: bytes) -> None:
        assert (await raw(impatient, begun)).status == 408

    async def test_dripping_headers_are_refused(self, impatient: RunningServer) -> None:
        reader, writer = await asyncio.open_connection(*impatient.address)
        writer.write(b"GET /health/live HTTP/1.1\r\n")
        reading = asyncio.create_task(reader.read())
        while not reading.done():
            writer.write(b"X-Drip: a\r\n")
            await asyncio.sleep(0.1)
        assert (await reading).startswith(b"HTTP/1.1 408 ")
        writer.close()

    async def test_a_body_is_refused(self, impatient: RunningServer) -> None:
        answer = await raw(impatient, post(body=BODY[:-1], length=len(BODY)))
        assert answer.status == 408
        assert json.decode(answer.body)["code"] == "request-timeout"

    async def test_a_dripping_body_is_refused(self, impatient: RunningServer) -> None:
        reader, writer = await asyncio.open_connection(*impatient.address)
        writer.write(post(body=b"", length=1000))
        reading = asyncio.create_task(reader.read())
        while not reading.done():
            writer.write(b" ")
            await asyncio.sleep(0.1)
        assert (await reading).startswith(b"HTTP/1.1 408 ")
        writer.close()

    async def test_a_connection_that_says_nothing_is_closed(self, impatient: RunningServer) -> None:
        assert (await raw(impatient, b"")).status == 0

    async def test_a_slow_but_steady_body_is_taken(self, impatient: RunningServer) -> None:
        reader, writer = await asyncio.open_connection(*impatient.address)
        padding = b" " * 100 * KIB
        writer.write(post(body=b"", length=len(padding) + len(BODY)))
        for start in range(0, len(padding), 5 * KIB):
            writer.write(padding[start : start + 5 * KIB])
            await asyncio.sleep(0.1)
        writer.write(BODY)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()


class TestFull:
    async def test_callers_beyond_the_limit_are_sent_away_and_probes_are_not(
        self, tmp_path: Path
    ) -> None:
        with running(tmp_path, max_in_flight="2") as server:
            waiting = [await asyncio.open_connection(*server.address) for _ in range(2)]
            for _, writer in waiting:
                writer.write(post(body=BODY[:-1], length=len(BODY)))
                await writer.drain()
            await asyncio.sleep(0.2)
            refused = await raw(server, post())
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
            assert (await raw(server, get())).status == 200
            for reader, writer in waiting:
                writer.write(BODY[-1:])
                assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
                writer.close()
            assert (
                await raw(server, raw_request("POST", "/api/v1/log", KEY, body=BODY))
            ).status == 200
