"""A caller who leaves after any event, of any dialect: one record, with what the answer used."""

import asyncio
import socket
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from llmring_core.gateway.metering import meter_for
from llmring_core.usage import Tokens, UsageRecord
from tests.faults.proxy import NO_LINGER
from tests.integration import speaking
from tests.integration.breaking import YAML
from tests.integration.gateway import Gateway, dechunked, gateway, post, until
from tests.integration.speaking import Used
from tests.integration.upstream import END, STREAM_HEAD, Sent, chunk, upstream

USED = Used(input=1000, cached=100, output=200, reasoning=50)
COUNTED = Tokens(input_uncached=900, input_cache_read=100, output=150, output_reasoning=50)
TEXTS = [{"content": text} for text in ("Gr", "ü", "ezi")]
DELTAS = [{"type": "text_delta", "text": text} for text in ("Gr", "ü", "ezi")]
STREAMING = b'{"model":"m","stream":true}'
ASKING = b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}'


class Case(NamedTuple):
    path: bytes
    body: bytes
    events: list[bytes]
    hidden: int | None = None  # the event that its caller is not shown

    def visible(self, count: int) -> bytes:
        """What the caller gets of the first ``count`` events."""
        shown = [one for at, one in enumerate(self.events[:count]) if at != self.hidden]
        return b"".join(shown)


CHAT = speaking.chat_events(USED, *TEXTS)
CASES = {
    "chat, asked": Case(b"/v1/chat/completions", ASKING, CHAT),
    "chat, not asked": Case(b"/v1/chat/completions", STREAMING, CHAT, len(CHAT) - 2),
    "messages": Case(b"/v1/messages", STREAMING, speaking.messages_events(USED, *DELTAS)),
    "responses": Case(b"/v1/responses", STREAMING, speaking.responses_events(USED)),
    "gemini": Case(
        b"/v1/openai/v1beta/models/g:streamGenerateContent?alt=sse",
        b"{}",
        speaking.gemini_events(USED),
    ),
}


class Pausing:
    """A provider that pauses after ``pause_after`` events, until it is told to go on."""

    def __init__(self, events: list[bytes]) -> None:
        self._events = events
        self.pause_after = 0
        self.go_on = asyncio.Event()

    async def __call__(self, _: Sent, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD + b"".join(map(chunk, self._events[: self.pause_after])))
        await self.go_on.wait()
        writer.write(b"".join(map(chunk, self._events[self.pause_after :])) + END)


@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize("name", CASES)
async def test_who_leaves_after_an_event_is_recorded_once_with_what_the_answer_used(
    tmp_path: Path, name: str, resets: bool
) -> None:
    case = CASES[name]
    provider_says = Pausing(case.events)
    async with (
        upstream(provider_says) as provider,
        gateway(tmp_path, provider.url, YAML, meters=meter_for) as server,
    ):
        for count in range(len(case.events)):
            provider_says.pause_after = count
            provider_says.go_on.clear()
            await leave(server, case, count, resets)
            await until(server.is_left)
            provider_says.go_on.set()
            await server.recorded(count + 1)
        records = await server.records()

    assert len(records) == len(provider.sent) == len(case.events)
    assert {told(record) for record in records} == {("client_disconnected", "provider", COUNTED)}


@pytest.mark.parametrize("name", CASES)
async def test_who_has_seen_the_end_had_all_of_it(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    provider_says = Pausing(case.events)
    provider_says.pause_after = len(case.events)
    async with (
        upstream(provider_says) as provider,
        gateway(tmp_path, provider.url, YAML, meters=meter_for) as server,
    ):
        await leave(server, case, len(case.events), resets=True)
        [record] = await server.recorded()
        provider_says.go_on.set()

    assert told(record) == ("complete", "provider", COUNTED)


def told(record: UsageRecord) -> tuple[str, str, Tokens]:
    return record.attempt_status, record.usage_source, record.tokens


async def leave(server: Gateway, case: Case, count: int, resets: bool) -> None:
    """Call, read what is shown of ``count`` events, and leave: with RST, or with FIN."""
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(post(case.body, path=case.path))
    await reader.readuntil(b"\r\n\r\n")
    expected, body = case.visible(count), b""
    while dechunked(body)[0] != expected:
        body += await reader.readuntil(b"\r\n")  # of a chunk's size or data
        assert len(body) < 10**5, body
    if resets:
        raw: socket.socket = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        writer.transport.abort()
    else:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
