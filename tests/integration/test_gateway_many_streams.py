"""Many streams at once on one worker: each event reaches everybody, and nobody is lost or starved.

``LLMRING_GATEWAY_STREAMS=500`` holds that many open.
"""

import asyncio
import os
from collections import Counter
from pathlib import Path

from tests.integration import speaking
from tests.integration.breaking import seen
from tests.integration.gateway import TOKEN as ANYBODY
from tests.integration.gateway import error_of, post, split, until
from tests.integration.server import RunningServer, running
from tests.integration.speaking import Used
from tests.integration.teams import Team, settings, team
from tests.integration.upstream import END, STREAM_HEAD, ScriptedUpstream, Sent, chunk, upstream

STREAMS = int(os.environ.get("LLMRING_GATEWAY_STREAMS", "60"))
IDLE = 20
USED = Used(input=1000, cached=100, output=200, reasoning=50)
EVENTS = speaking.chat_events(USED, *[{"content": text} for text in ("Gr", "ü", "ezi")])
KIND = b"X-Kind: any"
ASKING = post(b'{"model":"gpt-4.1","stream":true,"stream_options":{"include_usage":true}}', KIND)


class InStep:
    """A provider whose streams all wait for each other: none gets an event before all had the last.

    An event is sent when ``step`` is that far.
    """

    def __init__(self) -> None:
        self.step = 0
        self._moved = asyncio.Condition()

    async def advance(self) -> None:
        async with self._moved:
            self.step += 1
            self._moved.notify_all()

    async def __call__(self, _: Sent, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD)
        for number, event in enumerate(EVENTS, start=1):
            async with self._moved:
                await self._moved.wait_for(lambda number=number: self.step >= number)
            writer.write(chunk(event))
        writer.write(END)


class Caller:
    """One open stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.got = b""

    async def take(self, event: bytes) -> None:
        """Read that event. Raises TimeoutError when it does not come."""
        async with asyncio.timeout(30):
            while not self.got.endswith(chunk(event)):
                self.got += await self._reader.readuntil(b"\r\n")

    async def end(self) -> bytes:
        async with asyncio.timeout(30):
            self.got += await self._reader.read()
        self._writer.close()
        return self.got

    def leave(self) -> None:
        self._writer.transport.abort()


async def called(server: RunningServer, ours: Team, header: bytes = KIND) -> Caller:
    """Call; nothing of the answer is read yet."""
    reader, writer = await asyncio.open_connection(*server.address, limit=2**10)
    writer.write(ASKING.replace(ANYBODY.encode(), ours.token.encode()).replace(KIND, header))
    return Caller(reader, writer)


async def test_every_stream_gets_every_event_while_all_are_open(tmp_path: Path) -> None:
    in_step = InStep()
    async with upstream(in_step) as provider:
        used = settings(tmp_path, provider.url, gateway_max_calls=str(STREAMS))
        with running(tmp_path, **used) as server:
            ours = await asyncio.to_thread(team, server, used)
            callers = [await called(server, ours) for _ in range(STREAMS)]
            for event in EVENTS:
                await in_step.advance()
                await asyncio.gather(*(caller.take(event) for caller in callers))
                if event == EVENTS[0]:
                    refused = await (await called(server, ours)).end()
            answers = [await caller.end() for caller in callers]
            one_more = await (await called(server, ours)).end()
            rows = await asyncio.to_thread(ours.rows)

    expected = (200, b"".join(EVENTS), True)
    got = Counter((one.status, one.body, one.ended) for one in map(seen, [*answers, one_more]))
    assert got == {expected: STREAMS + 1}
    assert (split(refused)[0], error_of(refused)["code"]) == (503, "upstream_busy")
    assert split(refused)[1]["retry-after"] == "1"
    assert len(rows) == len(provider.sent) == STREAMS + 1
    assert {(row["attempt_status"], row["output_tokens"]) for row in rows} == {("complete", 200)}


async def test_who_takes_nothing_keeps_nobody_waiting(tmp_path: Path) -> None:
    async def much(sent: Sent, writer: asyncio.StreamWriter) -> None:
        if sent.header("x-kind") == ["short"]:
            writer.write(STREAM_HEAD + b"".join(map(chunk, EVENTS)) + END)
            return
        writer.write(STREAM_HEAD)
        while not writer.is_closing():
            writer.write(chunk(b": " + b"x" * 2**16 + b"\n\n"))
            await writer.drain()

    async with upstream(much) as provider:
        used = settings(tmp_path, provider.url, gateway_drain_s="0", gateway_idle_timeout_s="5")
        with running(tmp_path, **used) as server:
            ours = await asyncio.to_thread(team, server, used)
            idle = [await called(server, ours) for _ in range(IDLE)]
            await until(lambda: has_asked(provider, IDLE))
            others = [await called(server, ours, b"X-Kind: short") for _ in range(STREAMS)]
            answers = await asyncio.gather(*(other.end() for other in others))
            for caller in idle:
                caller.leave()
            await until(lambda: has_recorded(ours, STREAMS + IDLE))

    assert {(one.body, one.ended) for one in map(seen, answers)} == {(b"".join(EVENTS), True)}


async def has_asked(provider: ScriptedUpstream, count: int) -> bool:
    return len(provider.sent) >= count


async def has_recorded(ours: Team, count: int) -> bool:
    return len(await asyncio.to_thread(ours.rows)) >= count
