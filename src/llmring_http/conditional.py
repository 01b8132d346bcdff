"""Answers that caches and returning clients can reuse: strong ETags and 304."""

from collections.abc import Callable, Hashable
from hashlib import sha256
from typing import Any, Final

from litestar import Request, Response
from msgspec import Struct

HOUR: Final = "public, max-age=3600"
FOREVER: Final = "public, max-age=31536000, immutable"


class Representation(Struct, frozen=True, kw_only=True):
    """An encoded body and its name."""

    body: bytes  # JSON
    etag: str  # quoted


class Representations:
    """The last few bodies made, so that each is encoded once and not per request."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._made: dict[Hashable, Representation] = {}

    def get(self, version: str, key: Hashable, encode: Callable[[], bytes]) -> Representation:
        """Return what is kept under ``version`` and ``key``, made with ``encode`` if need be."""
        made = self._made.pop((version, key), None)
        if made is None:
            body = encode()
            made = Representation(body=body, etag=f'"{version}-{sha256(body).hexdigest()[:16]}"')
        self._made[version, key] = made  # now the youngest
        if len(self._made) > self._limit:
            del self._made[next(iter(self._made))]
        return made


def conditional(
    request: Request[Any, Any, Any], representation: Representation, cache_control: str
) -> Response[bytes | None]:
    """Return 200 with the body, or 304 without when the client has it already.

    Source: RFC 9110 section 13.1.2; tags compare weakly, so ``W/`` makes no difference.
    """
    headers = {
        "ETag": representation.etag,
        "Cache-Control": cache_control,
        "Vary": "Accept-Encoding",
    }
    held = request.headers.getall("If-None-Match", [])
    if _matches(representation.etag, ",".join(held)):
        return Response(None, status_code=304, headers=headers)
    return Response(representation.body, media_type="application/json", headers=headers)


def _matches(etag: str, held: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in held.split(",")}
    return etag in tags or held.strip() == "*"
