"""What a request for a receipt brings."""

from typing import TypeVar

from litestar import Request
from litestar.datastructures.state import State
from msgspec import Struct

from llmring_core.receipts import FlatToSign, NestedToSign
from llmring_http.decoding import decode_body
from llmring_http.receipts.signing_wire import to_sign
from llmring_http.requests import headers_of, identity_of

Wire = TypeVar("Wire", bound=Struct)
AnyRequest = Request[None, None, State]


async def body_of(request: AnyRequest, wire: type[Wire]) -> Wire:
    """Read the body. Raises Unprocessable."""
    return decode_body(await request.body(), request.headers.get("content-type"), wire)


async def statement_in(request: AnyRequest) -> FlatToSign | NestedToSign:
    """Read what a receipt is to say. Raises Unprocessable, InvalidField."""
    return to_sign(await request.body(), request.headers.get("content-type"))


def key_of(request: AnyRequest) -> str | None:
    """Return the Idempotency-Key. Raises BadRequest."""
    return identity_of(headers_of(request.scope), request.scope).key
