"""What a request brings besides who sends it: its names, and its body within limits."""

import re
from collections.abc import Sequence
from typing import cast

from litestar.exceptions import ClientException
from litestar.status_codes import HTTP_413_REQUEST_ENTITY_TOO_LARGE
from litestar.types import HTTPReceiveMessage, HTTPScope, Receive, Scope
from msgspec import Struct

from llmring_http.problems import BadRequest

KEY = re.compile(r"[ -~]{1,255}")


class BodyTooLarge(ClientException):
    """The body has more bytes than this server takes."""

    status_code = HTTP_413_REQUEST_ENTITY_TOO_LARGE


class SentHeaders:
    """The headers of a request, by lower-case name.

    Litestar's own decode every one of them for every request; of most requests we read two.
    """

    __slots__ = ("_last", "_pairs")

    def __init__(self, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        self._pairs = pairs
        self._last = dict(pairs)

    def all(self, name: bytes) -> list[str]:
        """Return every value sent under ``name``."""
        if name not in self._last:
            return []
        if len(self._last) == len(self._pairs):  # no name came twice
            return [_text(self._last[name])]
        return [_text(value) for found, value in self._pairs if found == name]

    def get(self, name: bytes) -> str | None:
        """Return the last value sent under ``name``."""
        value = self._last.get(name)
        return None if value is None else _text(value)


class RequestIdentity(Struct, frozen=True, kw_only=True):
    """How a request names itself."""

    key: str | None  # the Idempotency-Key
    request_id: str | None


def headers_of(scope: Scope) -> SentHeaders:
    return SentHeaders(cast(Sequence[tuple[bytes, bytes]], cast(HTTPScope, scope)["headers"]))


def identity_of(headers: SentHeaders, scope: Scope) -> RequestIdentity:
    """Raises BadRequest when the Idempotency-Key is malformed or repeated."""
    keys = headers.all(b"idempotency-key")
    if len(keys) > 1:
        raise BadRequest("Idempotency-Key must be sent once")
    if keys and not KEY.fullmatch(keys[0]):
        raise BadRequest("Idempotency-Key must be 1 to 255 printable ASCII characters")
    return RequestIdentity(
        key=keys[0] if keys else None, request_id=cast(str, scope["state"]["request_id"])
    )


def _text(value: bytes) -> str:
    """Return a header's value without the blanks around it, which are no part of it."""
    return value.decode("latin-1").strip(" \t")


def limited(receive: Receive, headers: SentHeaders, max_bytes: int) -> Receive:
    """Return ``receive`` with a limit on the body: as announced, and as it arrives.

    It raises BodyTooLarge, before anything is read when the announced length tells.
    """
    announced = headers.get(b"content-length") or ""
    if announced.isdecimal() and int(announced) <= max_bytes:
        return receive  # the server reads no more than was announced
    received = int(announced) if announced.isdecimal() else 0

    async def receive_limited() -> HTTPReceiveMessage:
        nonlocal received
        if received > max_bytes:
            raise BodyTooLarge
        message = cast(HTTPReceiveMessage, await receive())
        if message["type"] == "http.request":
            received += len(message["body"])
            if received > max_bytes:
                raise BodyTooLarge
        return message

    return cast(Receive, receive_limited)


async def read_body(receive: Receive) -> bytes:
    """Return the whole body. Raises BodyTooLarge, BadRequest when it ends early."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise BadRequest("the connection closed before the whole body came")
        parts.append(message["body"])
        if not message["more_body"]:
            return b"".join(parts)
