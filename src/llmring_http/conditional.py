"""Answers that caches and returning clients can reuse: strong ETags and 304."""

from collections.abc import Callable, Hashable, Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final

from litestar import Request, Response
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct

from llmring_core.errors import LLMRingError
from llmring_http.problems import documented

HOUR: Final = "public, max-age=3600"
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
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
            made = represented(version, encode())
        self._made[version, key] = made  # now the youngest
        if len(self._made) > self._limit:
            del self._made[next(iter(self._made))]
        return made


def cached(body: type[Struct], *errors: type[LLMRingError]) -> dict[int, ResponseSpec]:
    """Return the OpenAPI ``responses`` of a handler that answers with ``conditional``."""
    return documented(*errors) | {
        200: ResponseSpec(
            body, description="the body, and an `ETag` that names it", generate_examples=False
        ),
        304: ResponseSpec(None, description="the client has this body: `If-None-Match` names it"),
    }


def represented(version: str, body: bytes) -> Representation:
    """Return ``body`` under a name that no other body has."""
    return Representation(body=body, etag=f'"{version}-{sha256(body).hexdigest()[:16]}"')


def conditional(
    request: Request[Any, Any, Any],
    representation: Representation,
    cache_control: str,
    about: Mapping[str, str] = NOTHING,
) -> Response[bytes | None]:
    """Return 200 with the body, or 304 without when the client has it already.

    ``about`` are headers that do not come from the body.
    Source: RFC 9110 section 13.1.2; tags compare weakly, so ``W/`` makes no difference.
    """
    headers = {
        "ETag": representation.etag,
        "Cache-Control": cache_control,
        "Vary": "Accept-Encoding",
        **about,
    }
    held = request.headers.getall("If-None-Match", [])
    if _matches(representation.etag, ",".join(held)):
        return Response(None, status_code=304, headers=headers)
    return Response(representation.body, media_type="application/json", headers=headers)


def _matches(etag: str, held: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in held.split(",")}
    return etag in tags or held.strip() == "*"
