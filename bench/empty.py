"""Servers that do nothing, for the machine's own floors: ``python -m bench.empty KIND --port N``.

``asgi`` is an empty ASGI app under the server's own uvicorn settings: what HTTP costs here.
``canned`` answers bytes with bytes, without reading them: what the client itself can do at most.
"""

import asyncio
from argparse import ArgumentParser
from typing import Any

import uvicorn
import uvloop

HOST = "127.0.0.1"
BODY = (
    b'{"log_id":"01a1fb83-d665-7506-b0d8-a439d5132212","cost":0.00345,'
    b'"timestamp":"2026-11-21T00:31:23.749409Z","cost_status":"registry"}'
)
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]
ANSWER = b"".join(
    [
        b"HTTP/1.1 200 OK\r\n",
        *(name + b": " + value + b"\r\n" for name, value in HEADERS),
        b"\r\n" + BODY,
    ]
)


async def empty_app(_: Any, receive: Any, send: Any) -> None:
    """Read the body and answer what a logged call is answered."""
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


class Canned(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, _: bytes) -> None:
        self._transport.write(ANSWER)


async def canned(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Canned, HOST, port)
    await server.serve_forever()


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("kind", choices=("asgi", "canned"))
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args()
    if args.kind == "canned":
        uvloop.run(canned(args.port))
        return
    serve(empty_app, args.port)


def serve(app: Any, port: int) -> None:
    """Serve an ASGI app under the server's own uvicorn settings."""
    uvicorn.run(
        app,
        host=HOST,
        port=port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        backlog=2048,
        access_log=False,
        server_header=False,
        log_level="warning",
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    main()
