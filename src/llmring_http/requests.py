"""What a request brings besides who sends it: its names, and its body within limits."""

import re
from collections.abc import Iterable
from typing import cast

from litestar.datastructures import Headers
from litestar.exceptions import ClientException
from litestar.status_codes import HTTP_413_REQUEST_ENTITY_TOO_LARGE
from litestar.types import HTTPReceiveMessage, Receive, Scope
from msgspec import Struct

from llmring_http.problems import BadRequest

KEY = re.compile(r"[ -~]{1,255}")


class BodyTooLarge(ClientException):
    """The body has more bytes than this server takes."""

    status_code = HTTP_413_REQUEST_ENTITY_TOO_LARGE


class RequestIdentity(Struct, frozen=True, kw_only=True):
    """How a request names itself."""

    key: str | None  # the Idempotency-Key
    request_id: str | None


def identity_of(headers: Headers, scope: Scope) -> RequestIdentity:
    """Raises BadRequest when the Idempotency-Key is malformed or repeated."""
    keys = headers.getall("Idempotency-Key", [])
    if len(keys) > 1:
        raise BadRequest("Idempotency-Key must be sent once")
    if keys and not KEY.fullmatch(keys[0]):
        raise BadRequest("Idempotency-Key must be 1 to 255 printable ASCII characters")
    return RequestIdentity(
        key=keys[0] if keys else None, request_id=cast(str, scope["state"]["request_id"])
    )


def limited(receive: Receive, headers: Iterable[tuple[bytes, bytes]], max_bytes: int) -> Receive:
    """Return ``receive`` with a limit on the body: as announced, and as it arrives.

    It raises BodyTooLarge, before anything is read when the announced length tells.
    """
    announced = next((value for name, value in headers if name == b"content-length"), b"")
    received = int(announced) if announced.isdigit() and int(announced) > max_bytes else 0

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
