"""How a request names itself: its id, and the key that makes repeating it harmless."""

import re
from typing import TypeVar

from litestar import Request, Response
from litestar.datastructures.state import State
from msgspec import Struct

from llmring_http.problems import BadRequest, request_id

KEY = re.compile(r"[ -~]{1,255}")

Body = TypeVar("Body")


class RequestIdentity(Struct, frozen=True, kw_only=True):
    key: str | None  # the Idempotency-Key
    request_id: str | None


def provide_identity(request: Request[None, None, State]) -> RequestIdentity:
    """Raises BadRequest when the Idempotency-Key is malformed or repeated."""
    keys = request.headers.getall("Idempotency-Key", [])
    if len(keys) > 1:
        raise BadRequest("Idempotency-Key must be sent once")
    if keys and not KEY.fullmatch(keys[0]):
        raise BadRequest("Idempotency-Key must be 1 to 255 printable ASCII characters")
    return RequestIdentity(key=keys[0] if keys else None, request_id=request_id(request))


def replayable(body: Body, replayed: bool) -> Response[Body]:
    """Answer with ``body``, and say so when it is the answer to an earlier, equal request."""
    return Response(body, headers={"Idempotency-Replayed": "true"} if replayed else {})
