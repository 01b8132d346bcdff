"""A public registry that does as it is told, in a thread of its own."""

import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from socket import socket
from typing import Any

from msgspec import json

from tests.unit.registry.builders import entry, published

Behaviour = Callable[[socket, str], None]  # is given the connection, and the provider asked for


class ScriptedRegistry:
    """Answers every request as ``behave`` says; counts them by provider."""

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.asked: list[str] = []
        self.released = threading.Event()  # ends what ``hang`` began
        registry = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                head = b""
                while b"\r\n\r\n" not in head:
                    piece = self.request.recv(2**16)
                    if not piece:
                        return
                    head += piece
                provider = head.split(b" ")[1].decode().split("/")[-2]
                registry.asked.append(provider)
                registry.behave(self.request, provider)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """The server under test may close whenever it has seen enough."""

        self._server = Server(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/registry"

    def hang(self, connection: socket, _: str) -> None:
        self.released.wait(60)
        connection.close()

    def run(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def scripted(behave: Behaviour) -> Iterator[ScriptedRegistry]:
    registry = ScriptedRegistry(behave)
    thread = threading.Thread(target=registry.run, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        registry.stop()
        thread.join()


def publishing(files: Mapping[str, bytes]) -> Behaviour:
    """Answer as the public registry does."""

    def behave(connection: socket, provider: str) -> None:
        body = files.get(provider)
        if body is None:
            answering(b"", "404 Not Found")(connection, provider)
        else:
            answering(body, "200 OK", "Content-Type: application/json")(connection, provider)

    return behave


def answering(body: bytes, status: str = "200 OK", *headers: str) -> Behaviour:
    """Answer every request alike."""

    def behave(connection: socket, _: str) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
        connection.sendall("\r\n".join([*lines, *headers]).encode() + b"\r\n\r\n" + body)

    return behave


def refuse(connection: socket, _: str) -> None:
    connection.close()


def files_of(version: int, **changes: Any) -> dict[str, bytes]:
    """Every provider's file in this edition, each with one model."""
    return {
        provider: dated(published(provider, version, m=entry(**changes)))
        for provider in ("openai", "anthropic", "google")
    }


def dated(body: bytes, date: str = "2999-01-01") -> bytes:
    """The same file, published on another day; by default one that never counts as long ago."""
    return json.encode(json.decode(body) | {"updated_at": date})
