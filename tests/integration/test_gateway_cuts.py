"""A stream cut after any byte, in any dialect: its caller has all that came and sees that it broke.

No end is made up, and the ledger has the call once: as truncated, with what was told by then.
"""

import asyncio
import socket
from pathlib import Path
from typing import NamedTuple

import pytest

from llmring_core.gateway.metering import meter_for
from llmring_core.usage import UsageRecord
from tests.faults.proxy import NO_LINGER
from tests.integration.breaking import YAML, Seen, seen
from tests.integration.gateway import DONE, Gateway, gateway, post
from tests.integration.upstream import STREAM_HEAD, Answer, Sent, chunk, upstream

AT_ONCE = 20
ON_ONE_SERVER = 400  # calls, as many as one page of records has


class Case(NamedTuple):
    """A short stream; ``usage`` is the event that settles what it used, ``end`` its marker."""

    path: str
    events: tuple[bytes, ...]
    usage: int
    end: int
    output: int  # tokens, all of them
    hidden: bool = False  # the event with the usage, as its caller did not ask for it

    @property
    def stream(self) -> bytes:
        return b"".join(self.events)

    def has(self, event: int, size: int) -> bool:
        """Return whether that event is within the first ``size`` bytes."""
        return size >= len(b"".join(self.events[: event + 1]))

    def visible(self, size: int) -> bytes:
        """What of so many bytes is the caller's; an event may lack its blank line at the end."""
        came = self.stream[:size]
        if not self.hidden:
            return came
        event = self.events[self.usage]
        return came.replace(event, b"").removesuffix(event[:-1]).removesuffix(event[:-2])


CHAT = (
    b'data: {"choices":[{"delta":{"content":"\xc3\xa9"}}],"usage":null}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":7}}\n\n',
    DONE,
)
CASES = {
    "chat, usage not asked for": Case("/v1/chat/completions", CHAT, 1, 2, 7, hidden=True),
    "messages": Case(
        "/v1/messages",
        (
            b'event: message_start\ndata: {"type":"message_start","message":{"usage":'
            b'{"input_tokens":3,"output_tokens":1}}}\n\n',
            b'data: {"type":"message_delta","delta":{},"usage":{"output_tokens":7}}\r\n\r\n',
            b'data: {"type":"message_stop"}\n\n',
        ),
        1,
        2,
        7,
    ),
    "responses": Case(
        "/v1/responses",
        (
            b'data: {"type":"response.output_text.delta","delta":"a"}\n\n',
            b'data: {"type":"response.completed","response":{"usage":'
            b'{"input_tokens":3,"output_tokens":7}}}\n\n',
        ),
        1,
        1,
        7,
    ),
    "gemini": Case(
        "/v1/openai/v1beta/models/g:streamGenerateContent?alt=sse",
        (
            b'data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}]}\n\n',
            b'data: {"candidates":[{"finishReason":"STOP"}],"usageMetadata":'
            b'{"promptTokenCount":3,"candidatesTokenCount":7}}\n\n',
        ),
        1,
        1,
        7,
    ),
}


async def test_who_gets_what_of_a_stream_cut_anywhere(tmp_path: Path) -> None:
    for number, case in enumerate(CASES.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        sizes = range(1, len(case.stream) + 1)
        assert len(sizes) <= ON_ONE_SERVER
        async with (
            upstream(cut_as_told(case)) as provider,
            gateway(folder, provider.url, YAML, meters=meter_for) as server,
        ):
            answers = await cut_at(server, case, sizes)
            records = {record.request_id: record for record in await server.records()}

        assert len(records) == len(provider.sent) == len(sizes)
        for size, answer in answers.items():
            check(case, size, answer, records[answer.headers["x-request-id"]])


@pytest.mark.parametrize("name", CASES)
async def test_the_same_stream_uncut_is_complete(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    async with (
        upstream(cut_as_told(case, ends=True)) as provider,
        gateway(tmp_path, provider.url, YAML, meters=meter_for) as server,
    ):
        answers = await cut_at(server, case, [len(case.stream)])
        [record] = await server.records()

    [answer] = answers.values()
    assert (answer.body, answer.ended) == (case.visible(len(case.stream)), True)
    assert (record.attempt_status, record.tokens.output) == ("complete", case.output)


async def test_a_stream_reset_anywhere_is_never_taken_for_whole(tmp_path: Path) -> None:
    case = CASES["chat, usage not asked for"]
    sizes = range(1, len(case.stream) + 1, 7)

    async def answer(sent: Sent, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD + chunk(case.stream[: int(sent.header("x-size")[0])]))
        await asyncio.sleep(0.01)  # what comes just before a reset may be lost with it
        raw: socket.socket = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        writer.transport.abort()

    async with (
        upstream(answer) as provider,
        gateway(tmp_path, provider.url, YAML, meters=meter_for) as server,
    ):
        answers = await cut_at(server, case, sizes)
        records = {record.request_id: record for record in await server.records()}

    assert len(records) == len(provider.sent) == len(sizes)
    for size, got in answers.items():
        came = [case.visible(count) for count in range(size + 1)]
        is_cut = got.status == 200 and any(map(got.is_cut_after, came))
        assert is_cut or (got.status, got.code) == (502, "upstream_broken"), size
        record = records[got.headers["x-request-id"]]
        assert record.attempt_status != "complete" or case.has(case.end, size)


def check(case: Case, size: int, answer: Seen, record: UsageRecord) -> None:
    facts = (case.path, size)
    assert answer.status == 200, facts
    assert answer.is_cut_after(case.visible(size)), facts
    assert (DONE in answer.body) == (DONE in case.stream[:size]), facts
    ended = case.has(case.end, size)
    assert record.attempt_status in {"truncated", "complete" if ended else "truncated"}, facts
    if case.has(case.usage, size):
        assert record.tokens.output == case.output, facts
        assert record.tokens.input_uncached == 3, facts
    elif record.usage_source == "provider":  # a running total
        assert record.tokens.output <= case.output, facts


def cut_as_told(case: Case, ends: bool = False) -> Answer:
    """A provider whose caller says after how many bytes it is to break."""

    async def answer(sent: Sent, writer: asyncio.StreamWriter) -> None:
        size = int(sent.header("x-size")[0])
        writer.write(STREAM_HEAD + chunk(case.stream[:size]) + (b"0\r\n\r\n" if ends else b""))
        await writer.drain()
        writer.close()

    return answer


async def cut_at(server: Gateway, case: Case, sizes: range | list[int]) -> dict[int, Seen]:
    limit = asyncio.Semaphore(AT_ONCE)

    async def called(size: int) -> tuple[int, Seen]:
        body = b'{"model":"m","stream":true}'
        request = post(body, b"X-Size: %d" % size, path=case.path.encode())
        async with limit:
            return size, seen(await server.raw(request))

    return dict(await asyncio.gather(*map(called, sizes)))
