"""A provider that speaks every dialect and keeps its own books, and the calls it understands."""

import asyncio
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.integration import speaking
from tests.integration.gateway import TOKEN as ANYBODY
from tests.integration.gateway import post
from tests.integration.speaking import Used, streamed
from tests.integration.upstream import Sent

COUNTS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")
ERRORS = (b"400 Bad Request", b"429 Too Many Requests", b"500 Internal Server Error", b"529 Busy")
TEXT = {"content": "Grüezi"}
DELTA = {"type": "text_delta", "text": "Grüezi"}


class Kind(NamedTuple):
    """A kind of call, and what a provider answers it with."""

    path: bytes
    body: bytes
    answer: Callable[[Used], bytes]


GEMINI = b"/v1/gemini/v1beta/models/gemini-2.5-pro:"
KINDS = (
    Kind(b"/v1/chat/completions", b'{"model":"gpt-4.1"}', speaking.chat),
    Kind(
        b"/v1/chat/completions",
        b'{"model":"gpt-4.1","stream":true}',
        lambda used: streamed(speaking.chat_events(used, TEXT)),
    ),
    Kind(b"/v1/responses", b'{"model":"gpt-4.1"}', speaking.responses),
    Kind(
        b"/v1/responses",
        b'{"model":"gpt-4.1","stream":true}',
        lambda used: streamed(speaking.responses_events(used)),
    ),
    Kind(b"/v1/messages", b'{"model":"claude-any"}', speaking.messages),
    Kind(
        b"/v1/messages",
        b'{"model":"claude-any","stream":true}',
        lambda used: streamed(speaking.messages_events(used, DELTA)),
    ),
    Kind(GEMINI + b"generateContent", b'{"contents":[]}', speaking.gemini),
    Kind(
        GEMINI + b"streamGenerateContent?alt=sse",
        b'{"contents":[]}',
        lambda used: streamed(speaking.gemini_events(used)),
    ),
    Kind(b"/v1/embeddings", b'{"model":"text-embedding-3-small"}', speaking.embeddings),
)


class Charging:
    """A provider that keeps its own books: what it charged for each request, None for errors."""

    def __init__(self, seed: int) -> None:
        self.charged: dict[str, Used | None] = {}
        self._draw = random.Random(seed)  # noqa: S311

    async def __call__(self, sent: Sent, writer: asyncio.StreamWriter) -> None:
        kind = KINDS[int(sent.header("x-kind")[0])]
        fails = self._draw.random() < 0.1
        used = None if fails else self._used(kind)
        self.charged[sent.header("x-request-id")[0]] = used
        await asyncio.sleep(self._draw.uniform(0, 0.02))
        if used is None:
            writer.write(speaking.refusal(self._draw.choice(ERRORS), "any"))
        else:
            writer.write(kind.answer(used))

    def _used(self, kind: Kind) -> Used:
        input, output = self._draw.randrange(1, 200_000), self._draw.randrange(1, 50_000)
        if kind.answer is speaking.embeddings:
            return Used(input)
        return Used(input, self._draw.randrange(input), output, self._draw.randrange(output))


def request(number: int, token: str) -> bytes:
    """A call of that kind."""
    kind = KINDS[number]
    call = post(kind.body, b"X-Kind: %d" % number, path=kind.path)
    return call.replace(ANYBODY.encode(), token.encode())


def billed(row: dict[str, Any]) -> Used:
    """What the ledger has of a call."""
    return Used(*(row[name] for name in COUNTS))
