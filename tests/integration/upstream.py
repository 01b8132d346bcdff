"""A provider that does as it is told, down to the byte: a raw server in the test's own loop."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Answer = Callable[["Sent", asyncio.StreamWriter], Awaitable[None]]

CHAT = b"/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it arrived."""

    method: str
    target: str
    headers: list[tuple[str, str]]  # names as they came
    body: bytes
    reader: asyncio.StreamReader  # what comes after it: the end, when the caller closes

    def header(self, name: str) -> list[str]:
        return [value for found, value in self.headers if found.lower() == name]


@dataclass(slots=True)
class ScriptedUpstream:
    """``answer`` is called with each request; it may write anything, wait, or cut."""

    answer: Answer
    sent: list[Sent] = field(default_factory=list)
    connections: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)
    url: str = ""

    async def is_asked(self) -> bool:
        return self.connections > 0

    async def is_left(self) -> bool:
        """Return whether no connection is open any more."""
        return not self.open

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open.add(writer)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while not writer.is_closing():
                    request = await _read(reader)
                    self.sent.append(request)
                    await self.answer(request, writer)
                    await writer.drain()
        finally:
            self.open.discard(writer)
            writer.close()


@asynccontextmanager
async def upstream(
    answer: Answer, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ScriptedUpstream]:
    found = ScriptedUpstream(answer)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0, limit=2**24, ssl=tls)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield found
    finally:
        server.close()
        for writer in list(found.open):
            writer.transport.abort()
        await server.wait_closed()
        while found.open:  # noqa: ASYNC110  until each has seen that it is closed
            await asyncio.sleep(0)


def always(*pieces: bytes, cut: bool = False) -> Answer:
    """Answer every request with these bytes, each in a write of its own; then maybe cut."""

    async def answer(_: Sent, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.001)  # else they would arrive as one
        if cut:
            writer.close()

    return answer


def silent_after(*pieces: bytes) -> Answer:
    async def answer(sent: Sent, writer: asyncio.StreamWriter) -> None:
        writer.write(b"".join(pieces))
        await sent.reader.read()  # until the caller closes

    return answer


def whole(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole answer with a length."""
    lines = [b"HTTP/1.1 " + status, b"Content-Type: application/json", *headers]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body)]) + b"\r\n\r\n" + body


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def _read(reader: asyncio.StreamReader) -> Sent:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    fields = {name.lower(): value for name, value in headers}
    if fields.get("transfer-encoding") == "chunked":
        body = await _chunked(reader)
    else:
        body = await reader.readexactly(int(fields.get("content-length", "0")))
    return Sent(method, target, headers, body, reader)


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return body
