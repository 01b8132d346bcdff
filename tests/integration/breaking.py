"""Streams that break off: what a caller may get of one, and who it was that broke."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from llmring_core.gateway.metering import meter_for
from tests.integration.gateway import Gateway, dechunked, gateway, post, split
from tests.integration.upstream import Answer, ScriptedUpstream, always, upstream, whole

YAML = """
default_api: openai
apis:
  openai:
    base_url: {url}
    allowed_endpoints: [/v1/chat/completions, /v1/messages, /v1/responses, "/v1beta/models/*"]
    allowed_methods: [POST]
"""
# What may stand behind the provider's own bytes: one event that says that it broke.
ERROR_EVENT = re.compile(rb'\n{0,2}(event: error\n)?data: \{[^\n]*"error"[^\n]*\}\n\n')
GOOD = always(whole(b'{"usage":{"prompt_tokens":1,"completion_tokens":1}}'))


class Seen(NamedTuple):
    """What a caller got."""

    status: int
    headers: dict[str, str]
    body: bytes  # without chunks' sizes
    ended: bool

    @property
    def code(self) -> str | None:
        """Of an error of the gateway itself."""
        return self.headers.get("x-llmring-error")

    def is_cut_after(self, sent: bytes) -> bool:
        """Return whether the provider's bytes came, and no end."""
        rest = self.body.removeprefix(sent)
        said = not rest or ERROR_EVENT.fullmatch(rest) is not None
        return self.body.startswith(sent) and said and not self.ended


class Breaking:
    """A gateway that meters as in production, and its provider, which answers as it is told."""

    def __init__(self, server: Gateway, provider: ScriptedUpstream) -> None:
        self.server = server
        self.provider = provider

    async def seen(self, answer: Answer, request: bytes | None = None) -> Seen:
        """Return what a caller gets of ``answer``.

        A good one follows: who fails too often in a row would be left alone.
        """
        self.provider.answer = answer
        got = seen(await self.server.raw(request or post()))
        self.provider.answer = GOOD
        assert split(await self.server.raw(post()))[0] == 200
        return got


def seen(answer: bytes) -> Seen:
    status, headers, body = split(answer)
    if headers.get("transfer-encoding") == "chunked":
        data, ended = dechunked(body)
        return Seen(status, headers, data, ended)
    length = headers.get("content-length")
    return Seen(status, headers, body, length is None or len(body) == int(length))


@asynccontextmanager
async def breaking(folder: Path, **settings: object) -> AsyncIterator[Breaking]:
    async with (
        upstream(GOOD) as provider,
        gateway(folder, provider.url, meters=meter_for, **settings) as server,
    ):
        yield Breaking(server, provider)
