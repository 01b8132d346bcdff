"""The server with its gateway, in the test's own loop, so that nothing it leaves open is hidden."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from dependency_injector import providers
from msgspec import json
from msgspec.structs import replace
from uvicorn import Server

from llmring_adapters.system import utc_now
from llmring_app.container import Container
from llmring_app.serve import application
from llmring_app.server import web_config
from llmring_app.settings import Settings
from llmring_core.accounts import Project
from llmring_core.gateway.dialects import TokenCounter
from llmring_core.gateway.forwarding import Asked, Meter, Metered
from llmring_core.gateway.tokens import digest_of
from llmring_core.ids import ProjectId
from llmring_core.pages import PageRequest
from llmring_core.usage import Period, Selection, Tokens, UsageRecord
from tests.builders.gateway import GATEWAY_PROJECT, sealed_key, token
from tests.builders.kernel import P1, P2
from tests.builders.usage import DAY

TOKEN = "sk-" + "t" * 22
OTHER = "sk-" + "o" * 22  # of another project
SECRET = "sk-provider-secret"  # noqa: S105  nobody's
DONE = b"data: [DONE]\n\n"
YAML = """
default_api: openai
apis:
  openai:
    base_url: {url}
    allowed_endpoints: [/v1/chat/completions, /v1/embeddings, /v1/models, /v1/models/*, /v1/files]
    allowed_methods: [GET, POST, PUT, DELETE, OPTIONS]
"""


class FrameMeter(Meter):
    """Reads usage of the one form our own scripts write it in."""

    def __init__(self, asked: Asked) -> None:
        self._stream = asked.media_type == "text/event-stream"
        self._kept = b""

    def feed(self, piece: bytes) -> bool:
        self._kept += piece
        return self._stream and DONE in self._kept

    def result(self) -> Metered:
        whole = not self._stream or DONE in self._kept
        _, found, rest = self._kept.partition(b'"usage":')
        if not found:
            return Metered(whole=whole)
        count = int(rest.partition(b"}")[0])
        return Metered(tokens=Tokens(output=count), source="provider", whole=whole)

    def estimated(self, by: TokenCounter) -> Metered:  # noqa: ARG002  the port's
        return self.result()


class Gateway:
    """A running server; ``address`` is where it listens."""

    def __init__(self, container: Container, address: tuple[str, int], server: Server) -> None:
        self.container = container
        self.address = address
        self._server = server

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"

    async def is_left(self) -> bool:
        """Return whether no caller is connected any more."""
        return not self._server.server_state.connections

    async def records(self, project: ProjectId = P1) -> list[UsageRecord]:
        now = utc_now()
        around = Selection(period=Period(start=now - DAY, end=now + DAY))
        page = await self.container.list_usage()(project, around, PageRequest(limit=500))
        return list(page.items)

    async def recorded(self, count: int = 1) -> list[UsageRecord]:
        """Return the records once there are as many: a caller who left is not told."""
        await until(lambda: self._has(count))
        return await self.records()

    async def _has(self, count: int) -> bool:
        return len(await self.records()) >= count

    async def raw(self, request: bytes) -> bytes:
        """Send bytes, and return everything until the server closes."""
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            writer.write(request)
            async with asyncio.timeout(20):
                return await reader.read()
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def gateway(
    folder: Path,
    url: str,
    yaml: str = YAML,
    *,
    meters: Any = FrameMeter,
    record: Any = None,
    resolve: Any = None,
    keys: Sequence[str] = ("openai",),
    project: dict[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[Gateway]:
    """A server whose provider is at ``url``."""
    file = folder / "providers.yaml"
    file.write_text(yaml.format(url=url))
    read = Settings.read(
        {
            "LLMRING_DATABASE_URL": f"sqlite:///{folder / 'gateway.db'}",
            "LLMRING_REGISTRY_REFRESH_S": "0",
            "LLMRING_API_CONFIG_PATH": str(file),
        }
        | {f"LLMRING_{name.upper()}": str(value) for name, value in settings.items()},
        folder / "none",
    )
    container = Container(settings=read)
    container.meters.override(providers.Object(meters))
    if record is not None:
        container.record_attempt.override(providers.Object(record))
    if resolve is not None:
        container.resolve_model.override(providers.Object(resolve))
    listener = socket.create_server(("127.0.0.1", 0))
    config = web_config(application(container), read)
    config.timeout_graceful_shutdown = 1  # seconds, in which no test has anything to wait for
    server = Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        await until(lambda: _started(server))
        await _admit(container, keys, project or {})
        yield Gateway(container, listener.getsockname()[:2], server)
    finally:
        server.should_exit = True
        await serving
        listener.close()


async def _admit(container: Container, keys: Sequence[str], settings: dict[str, Any]) -> None:
    """Keep two projects, each with a token and a key of the provider."""
    vault, now = container.vault(), utc_now()
    async with container.begin()() as work:
        for number, (secret, id) in enumerate({TOKEN: P1, OTHER: P2}.items()):
            await work.accounts.add_project(Project(id=id, name=f"p{number}", created_at=now))
            await work.gateway.add(
                replace(GATEWAY_PROJECT, id=id, created_at=now, updated_at=now, **settings)
            )
            for provider in keys:
                await work.gateway.put_key(id, sealed_key(vault, provider, SECRET, id))
            await work.tokens.add(
                token(number + 1, project=id, digest=digest_of(secret), expires_at=now + DAY)
            )


async def _started(server: Server) -> bool:
    return bool(server.started)


async def until(answers: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await answers():  # noqa: ASYNC110  nobody announces it
            await asyncio.sleep(0.005)


def post(
    body: bytes = b'{"model":"gpt-4o-mini"}', *headers: bytes, path: bytes = b"/v1/chat/completions"
) -> bytes:
    """A call as bytes; the connection is closed after its answer."""
    lines = [
        b"POST " + path + b" HTTP/1.1",
        b"Host: test",
        b"Connection: close",
        b"Authorization: Bearer " + TOKEN.encode(),
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def split(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers by lower-case name, and body as it stands on the wire."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split(" ")[1]), headers, body


def dechunked(body: bytes) -> tuple[bytes, bool]:
    """Return the data of chunks, and whether they were ended."""
    data = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        count = int(size, 16)
        if count == 0:
            return data, True
        data, body = data + rest[:count], rest[count + 2 :]
    return data, False


def error_of(answer: bytes) -> dict[str, Any]:
    return dict(json.decode(split(answer)[2])["error"])


def broken_off(data: bytes) -> tuple[bytes, str | None]:
    """Return what came of a stream, and the code of the error that its last event tells."""
    stream, found, error = data.rpartition(b'data: {"error":')
    if not found:
        return data, None
    return stream, json.decode(b'{"error":' + error)["error"]["code"]
