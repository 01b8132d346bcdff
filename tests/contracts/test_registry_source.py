"""What every RegistrySource promises, and what the web one stands from a registry gone wrong."""

import asyncio
import gzip
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from time import monotonic

import httpx
import pytest

from llmring_adapters.registry.memory import MemoryRegistrySource
from llmring_adapters.registry.web import MAX_BYTES, WebRegistrySource, registry_client
from llmring_core.registry import RegistrySource, RegistryUnavailable, read_file
from tests.unit.registry.builders import published

GOOD = published()
HTML = b"<!DOCTYPE html><title>Sorry</title>"
NO_OWN: Mapping[str, bytes] = {}

Reply = Callable[[StreamWriter], Awaitable[None]]
Start = Callable[..., Awaitable[WebRegistrySource]]


class FakeRegistry:
    """A registry on a real socket that answers each request with the next reply, then the last."""

    def __init__(self, *replies: bytes | Reply, own: Mapping[str, bytes] = NO_OWN) -> None:
        self.replies = list(replies)
        self.own = own
        self.requests: list[str] = []

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
            reply = self._reply()
            if isinstance(reply, bytes):
                writer.write(reply)
                await writer.drain()
            else:
                await reply(writer)
        except ConnectionError:
            pass  # the client has seen enough
        finally:
            writer.close()

    def _reply(self) -> bytes | Reply:
        for path, reply in self.own.items():
            if self.paths[-1].startswith(path):
                return reply
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    @property
    def paths(self) -> list[str]:
        return [request.split(" ")[1] for request in self.requests]


def answer(body: bytes = GOOD, status: str = "200 OK", *headers: str) -> bytes:
    length = f"Content-Length: {len(body)}"
    lines = [f"HTTP/1.1 {status}", length, "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def drip(writer: StreamWriter) -> None:
    """Send a byte at a time, each well within the read time-out."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def hang(_: StreamWriter) -> None:
    await asyncio.sleep(5)


async def endless(writer: StreamWriter) -> None:
    """Send chunk after chunk, and never say how many."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
        await writer.drain()


MISSING = answer(b"", "404 Not Found")


@pytest.fixture
async def web() -> AsyncIterator[Start]:
    """Return what starts a fake registry and gives a source that asks it, in a hurry."""
    servers = []
    hasty = registry_client()
    hasty.timeout = httpx.Timeout(0.3)

    async def start(
        registry: FakeRegistry, path: str = "", client: httpx.AsyncClient = hasty
    ) -> WebRegistrySource:
        server = await asyncio.start_server(registry.serve, "127.0.0.1", 0)
        servers.append(server)
        port = server.sockets[0].getsockname()[1]
        return WebRegistrySource(client, f"http://127.0.0.1:{port}{path}", total_s=0.5)

    yield start
    await hasty.aclose()
    for server in servers:
        server.close()
        await server.wait_closed()


class TestRegistrySource:
    @pytest.fixture(params=["memory", "web"])
    async def source(self, request: pytest.FixtureRequest, web: Start) -> RegistrySource:
        if request.param == "memory":
            return MemoryRegistrySource({"openai": GOOD, "google": HTML})
        return await web(
            FakeRegistry(answer(GOOD), own={"/google/": answer(HTML), "/anthropic/": MISSING})
        )

    async def test_gives_every_file_or_says_why_there_is_none(self, source: RegistrySource) -> None:
        fetched = await source.fetch()
        assert list(fetched.files) == [read_file("openai", GOOD)]
        assert fetched.problems.keys() == {"anthropic", "google"}
        assert fetched.problems["anthropic"] == "answered 404"
        assert fetched.problems["google"].startswith("is no registry file")


class TestWebRegistrySource:
    @pytest.mark.parametrize("path", ["", "/", "/registry", "/registry/"])
    async def test_asks_below_its_base_with_or_without_a_last_slash(
        self, web: Start, path: str
    ) -> None:
        registry = FakeRegistry(answer())
        await (await web(registry, path)).body("openai")
        assert registry.paths == [f"{path.rstrip('/')}/openai/models.json"]

    async def test_an_unchanged_file_is_not_sent_again(self, web: Start) -> None:
        unchanged = b'HTTP/1.1 304 Not Modified\r\nETag: "e1"\r\nConnection: close\r\n\r\n'
        changed = answer(b"new", "200 OK", 'ETag: "e2"')
        registry = FakeRegistry(answer(GOOD, "200 OK", 'ETag: "e1"'), unchanged, changed)
        source = await web(registry)
        assert [await source.body("openai") for _ in range(3)] == [GOOD, GOOD, b"new"]
        sent = ["if-none-match" in request.lower() for request in registry.requests]
        assert sent == [False, True, True]
        assert 'if-none-match: "e1"' in registry.requests[1].lower()

    async def test_each_provider_has_a_tag_of_its_own(self, web: Start) -> None:
        registry = FakeRegistry(answer(GOOD, "200 OK", 'ETag: "e1"'))
        source = await web(registry)
        await source.body("openai")
        await source.body("google")
        assert "if-none-match" not in registry.requests[1].lower()

    async def test_after_a_file_without_a_tag_nothing_is_conditional(self, web: Start) -> None:
        registry = FakeRegistry(answer(GOOD, "200 OK", 'ETag: "e1"'), answer(b"untagged"))
        source = await web(registry)
        for _ in range(3):
            await source.body("openai")
        assert "if-none-match" not in registry.requests[2].lower()

    @pytest.mark.parametrize("tag", [b'"\xff\xfe"', b'"' + b"x" * 5000 + b'"'])
    async def test_a_tag_that_could_not_be_sent_back_is_forgotten(
        self, web: Start, tag: bytes
    ) -> None:
        reply = answer(GOOD, "200 OK", "ETag: TAG").replace(b"TAG", tag)
        source = await web(FakeRegistry(reply))
        assert [await source.body("openai") for _ in range(2)] == [GOOD, GOOD]

    @pytest.mark.parametrize(
        "reply",
        [
            answer(b"oops", "500 Internal Server Error"),
            answer(b"", "204 No Content"),
            answer(b"", "304 Not Modified"),
            answer(GOOD)[:-10],
            answer(gzip.compress(GOOD), "200 OK", "Content-Encoding: gzip"),
            answer(gzip.compress(b" " * (64 << 20)), "200 OK", "Content-Encoding: gzip"),
            answer(b" " * (MAX_BYTES + 1)),
            answer(GOOD, "200 OK", "Content-Type: text/html; charset=utf-8"),
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"",
            drip,
            hang,
            endless,
        ],
        ids=[
            "500",
            "204",
            "304 unasked",
            "cut short",
            "gzip unasked",
            "gzip bomb",
            "oversized",
            "HTML by its type",
            "no HTTP",
            "closed",
            "dripping",
            "hanging",
            "endless",
        ],
    )
    async def test_anything_else_is_unavailable_in_bounded_time(
        self, web: Start, reply: bytes | Reply
    ) -> None:
        source = await web(FakeRegistry(reply))
        began = monotonic()
        with pytest.raises(RegistryUnavailable):
            await source.body("openai")
        assert monotonic() - began < 2

    async def test_a_redirect_is_not_followed(self, web: Start) -> None:
        registry = FakeRegistry(answer(b"", "302 Found", "Location: /elsewhere"), answer())
        with pytest.raises(RegistryUnavailable, match="answered 302"):
            await (await web(registry)).body("openai")
        assert len(registry.requests) == 1

    async def test_a_file_of_exactly_the_limit_is_taken(self, web: Start) -> None:
        source = await web(FakeRegistry(answer(b" " * MAX_BYTES)))
        assert len(await source.body("openai")) == MAX_BYTES

    async def test_nobody_there_is_unavailable(self) -> None:
        async with registry_client() as client:
            source = WebRegistrySource(client, "http://127.0.0.1:1")
            with pytest.raises(RegistryUnavailable):
                await source.body("openai")

    async def test_a_proxy_in_the_environment_is_not_used(
        self, web: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        async with registry_client() as client:
            source = await web(FakeRegistry(answer()), client=client)
            assert await source.body("openai") == GOOD
