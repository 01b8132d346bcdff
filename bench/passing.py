"""The least that forwards at all, for a floor: ``python -m bench.passing --to N --port N``.

An ASGI app that hands every request to aiohttp and every piece of the answer back. It asks nobody
who calls, looks at nothing, counts nothing.
"""

from argparse import ArgumentParser
from typing import Any

from aiohttp import ClientSession, DummyCookieJar, TCPConnector
from yarl import URL

from bench.empty import HOST, serve

FOR_ONE_HOP = frozenset({b"host", b"connection", b"content-length", b"transfer-encoding"})


class Passing:
    def __init__(self, port: int) -> None:
        self._url = f"http://{HOST}:{port}"
        self._session: ClientSession | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        body = message["body"]
        while message["more_body"]:
            message = await receive()
            body += message["body"]
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name not in FOR_ONE_HOP
        }
        url = URL(self._url + scope["path"], encoded=True)
        async with self._opened().request(scope["method"], url, headers=headers, data=body) as got:
            fields = [(name.lower(), value) for name, value in got.raw_headers]
            fields = [field for field in fields if field[0] != b"transfer-encoding"]
            start = {"type": "http.response.start", "status": got.status, "headers": fields}
            await send(start)
            while piece := await got.content.readany():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _opened(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(limit=0),
                auto_decompress=False,
                cookie_jar=DummyCookieJar(),
            )
        return self._session


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args()
    serve(Passing(args.to), args.port)


if __name__ == "__main__":
    main()
