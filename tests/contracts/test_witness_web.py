"""What the log stands from a witness gone wrong, on a real socket."""

import asyncio
import gzip
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from llmring_adapters.transparency.witness_web import MAX_BYTES, WebWitness, witness_client
from llmring_core.transparency import OtherTree, WitnessUnavailable
from tests.builders.witnesses import WITNESS_KEY
from tests.contracts.test_registry_source import Reply, answer, drip, endless, hang

LINE = WITNESS_KEY.cosign("x\n", 1).text
BODY = "old 0\n\na checkpoint\n"
SIZE_TYPE = "Content-Type: text/x.tlog.size"

Start = Callable[..., Awaitable[WebWitness]]


class FakeWitness:
    """A witness that answers every request the same way."""

    def __init__(self, reply: bytes | Reply) -> None:
        self._reply = reply
        self.heads: list[str] = []
        self.bodies: list[str] = []

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            self.bodies.append((await reader.readexactly(len(BODY))).decode())
            if isinstance(self._reply, bytes):
                writer.write(self._reply)
                await writer.drain()
            else:
                await self._reply(writer)
        except ConnectionError:
            pass  # the client has seen enough
        finally:
            writer.close()


@pytest.fixture
async def web() -> AsyncIterator[Start]:
    """Return what starts a fake witness and gives the one that asks it, in a hurry."""
    servers = []
    client = witness_client()

    async def start(fake: FakeWitness, path: str = "") -> WebWitness:
        server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
        servers.append(server)
        port = server.sockets[0].getsockname()[1]
        return WebWitness(client, f"http://127.0.0.1:{port}{path}", WITNESS_KEY.key, total_s=0.5)

    yield start
    await client.aclose()
    for server in servers:
        server.close()
        await server.wait_closed()


class TestWebWitness:
    @pytest.mark.parametrize("path", ["", "/", "/w1", "/w1/"])
    async def test_asks_below_its_address(self, web: Start, path: str) -> None:
        fake = FakeWitness(answer(LINE.encode()))
        assert await (await web(fake, path)).add(BODY) == LINE
        assert fake.heads[0].startswith(f"POST {path.rstrip('/')}/add-checkpoint HTTP/1.1\r\n")
        assert fake.bodies == [BODY]

    @pytest.mark.parametrize("kind", [SIZE_TYPE, f"{SIZE_TYPE.upper()}; charset=utf-8"])
    async def test_says_which_size_the_witness_has(self, web: Start, kind: str) -> None:
        asked = await web(FakeWitness(answer(b"17\n", "409 Conflict", kind)))
        with pytest.raises(OtherTree) as refused:
            await asked.add(BODY)
        assert refused.value.size == 17

    @pytest.mark.parametrize("size", [b"", b"17", b"-1\n", b"017\n", b"x\n", b"1" * 17 + b"\n"])
    async def test_a_size_that_is_none_is_no_answer(self, web: Start, size: bytes) -> None:
        asked = await web(FakeWitness(answer(size, "409 Conflict", SIZE_TYPE)))
        with pytest.raises(WitnessUnavailable, match="answered 409"):
            await asked.add(BODY)

    @pytest.mark.parametrize(
        ("reply", "reason"),
        [
            (answer(b"17\n", "409 Conflict"), "answered 409"),
            (answer(b"", "403 Forbidden"), "answered 403"),
            (answer(b"", "500 Oops"), "answered 500"),
            (answer(b"", "302 Found", "Location: http://127.0.0.1:9/"), "answered 302"),
            (answer(b"\xff"), "no text"),
            (answer(gzip.compress(b" " * 10**6), "200 OK", "Content-Encoding: gzip"), "encoding"),
            (answer(b" " * (MAX_BYTES + 1)), "more than 65536 bytes"),
            (endless, "more than 65536 bytes"),
            (drip, "took over 0.5 s"),
            (hang, "took over 0.5 s"),
            (b"garbage\r\n\r\n", "RemoteProtocolError"),
            (b"", "RemoteProtocolError"),
        ],
    )
    async def test_whatever_it_answers_costs_bounded_time_and_memory(
        self, web: Start, reply: bytes | Reply, reason: str
    ) -> None:
        asked = await web(FakeWitness(reply))
        with pytest.raises(WitnessUnavailable, match=reason):
            await asked.add(BODY)

    async def test_one_that_is_not_there_is_away(self) -> None:
        async with witness_client() as client:
            asked = WebWitness(client, "http://127.0.0.1:9", WITNESS_KEY.key)
            with pytest.raises(WitnessUnavailable, match="ConnectError"):
                await asked.add(BODY)
