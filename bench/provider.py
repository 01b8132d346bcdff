"""A provider that answers at once, the same to everybody: ``python -m bench.provider --port N``.

Bytes in, bytes out, so that it is never what is measured. A call is answered whole; one with
``"stream":true`` by frames as fast as they can be written, each in a write of its own; and one
whose ``user`` is ``timed-N`` by N frames at intervals, which say when they were sent.
"""

import asyncio
import re
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import chain, count, repeat
from time import monotonic_ns
from typing import Any, Final

import uvloop
from msgspec import json

from bench.empty import HOST

FRAMES: Final = 100  # of a burst, besides the one with the usage and the mark of the end
INTERVAL_S: Final = 0.1  # between two timed frames
TIMED: Final = re.compile(rb'"user":"timed-(\d+)"')
LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
GOLDEN: Final = 0.618034  # multiples of it, without their whole part, are spread evenly
SERIAL: Final = count()

USAGE: Final = {
    "prompt_tokens": 1200,
    "completion_tokens": 180,
    "total_tokens": 1380,
    "prompt_tokens_details": {"cached_tokens": 400, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}
NAMED: Final = {
    "id": "chatcmpl-Cbu1aPsbEqBjKTXPuKVSpOLvmzGIf",
    "created": 1763718000,
    "model": "gpt-4o-mini-2024-07-18",
    "service_tier": "default",
    "system_fingerprint": "fp_560af6e559",
}
TEXT: Final = "The invoice of the third of March was paid twice; one of the payments is returned. "
COMPLETION: Final = json.encode(
    NAMED
    | {
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": TEXT * 8, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }
)
DONE: Final = b"data: [DONE]\n\n"
HEADERS: Final = (  # what comes with such an answer besides
    b"date: Fri, 21 Nov 2025 09:40:00 GMT",
    b"openai-organization: bench",
    b"openai-processing-ms: 412",
    b"openai-version: 2020-10-01",
    b"x-ratelimit-limit-requests: 30000",
    b"x-ratelimit-limit-tokens: 150000000",
    b"x-ratelimit-remaining-requests: 29999",
    b"x-ratelimit-remaining-tokens: 149999967",
    b"x-ratelimit-reset-requests: 2ms",
    b"x-ratelimit-reset-tokens: 0s",
    b"x-request-id: req_8e2f0bb8a2a94aa1a3bb1e1d4cbb9a4c",
    b"cf-cache-status: DYNAMIC",
    b"server: cloudflare",
    b"cf-ray: 9a1f0d2c4b7e5d3a-FRA",
)


def _head(*headers: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *headers, *HEADERS, b"", b""])


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _frame(text: str, finish: str | None, *, tells: bool) -> bytes:
    """Return an event; where the stream ``tells`` its usage in the end, the others have none."""
    choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": finish}
    event = NAMED | {"object": "chat.completion.chunk", "choices": [choice]}
    return b"data: %b\n\n" % json.encode(event | ({"usage": None} if tells else {}))


def _burst(*, tells: bool) -> list[bytes]:
    frames = [_frame(TEXT[place % 70 :][:5], None, tells=tells) for place in range(FRAMES - 1)]
    return [*map(_chunk, [*frames, _frame("", "stop", tells=tells)]), *_rest(tells=tells)]


def _rest(*, tells: bool) -> list[bytes]:
    event = NAMED | {"object": "chat.completion.chunk", "choices": [], "usage": USAGE}
    usage = [_chunk(b"data: %b\n\n" % json.encode(event))] if tells else []
    return [*usage, _chunk(DONE) + b"0\r\n\r\n"]


STREAM: Final = _head(b"content-type: text/event-stream", b"transfer-encoding: chunked")
WHOLE: Final = (
    _head(b"content-type: application/json", b"content-length: %d" % len(COMPLETION)) + COMPLETION
)
BURSTS: Final = {tells: _burst(tells=tells) for tells in (False, True)}
RESTS: Final = {tells: _rest(tells=tells) for tells in (False, True)}


class Provider(asyncio.Protocol):
    """One connection, whose calls come one after the other."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._received = b""

    def data_received(self, data: bytes) -> None:
        data = self._received + data
        body = data.find(b"\r\n\r\n") + 4
        length = LENGTH.search(data, 0, body) if body > 3 else None
        if length is None or len(data) < body + int(length[1]):
            self._received = data
            return
        self._received = b""
        self._answer(data)

    def _answer(self, request: bytes) -> None:
        tells = b'"include_usage":true' in request
        if b'"stream":true' not in request:
            self._transport.write(WHOLE)
        elif (wanted := TIMED.search(request)) is None:
            self._transport.write(STREAM)
            self._write(iter(BURSTS[tells]))
        else:
            self._transport.write(STREAM)
            phase_s = next(SERIAL) * GOLDEN % 1 * INTERVAL_S
            waits_s = chain((0.0, phase_s), repeat(INTERVAL_S, int(wanted[1]) - 2))
            self._write_timed(waits_s, tells)

    def _write(self, pieces: Iterator[bytes]) -> None:
        piece = next(pieces, None)
        if piece is not None and not self._transport.is_closing():
            self._transport.write(piece)
            self._loop.call_soon(self._write, pieces)

    def _write_timed(self, waits_s: Iterator[float], tells: bool) -> None:
        """Write a frame after each of these waits, and then the end."""
        if self._transport.is_closing():
            return
        wait_s = next(waits_s, None)
        if wait_s is None:
            self._transport.write(b"".join(RESTS[tells]))
        else:
            self._loop.call_later(wait_s, self._write_one, waits_s, tells)

    def _write_one(self, waits_s: Iterator[float], tells: bool) -> None:
        self._transport.write(_chunk(_frame(f"at {monotonic_ns()}", None, tells=tells)))
        self._write_timed(waits_s, tells)


async def provide(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Provider, HOST, port, backlog=2048)
    await server.serve_forever()


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(provide(parser.parse_args().port))


if __name__ == "__main__":
    main()
