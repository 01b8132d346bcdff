"""Rule: which web pages may call, and what a browser is told about it."""

from collections.abc import Mapping

from llmring_core.gateway.forwarding.errors import HeaderRequired, OriginNotAllowed, OriginRequired
from llmring_core.gateway.forwarding.providers import Provider

METHODS = b"GET, POST, PUT, PATCH, DELETE, OPTIONS"
REQUEST_HEADERS = "Authorization, Content-Type, X-Requested-With"
EXPOSED = b"X-Request-ID, X-Proxy, X-LLMRing-Error, Retry-After"
MAX_AGE = b"86400"  # seconds

Headers = list[tuple[bytes, bytes]]


def check_headers(provider: Provider, headers: Mapping[bytes, bytes]) -> None:
    """Raises OriginRequired, HeaderRequired, OriginNotAllowed."""
    for name in provider.required_headers:
        if name.encode() not in headers:
            raise OriginRequired if name == "origin" else HeaderRequired(name)
    origin = headers.get(b"origin")
    if origin is not None and not _is_allowed(provider, origin):
        raise OriginNotAllowed


def preflight(provider: Provider, headers: Mapping[bytes, bytes]) -> Headers:
    """Return the headers of the answer to OPTIONS; a page that may not call is told nothing."""
    origin = headers.get(b"origin")
    if origin is None or not _is_allowed(provider, origin):
        return []
    asked = headers.get(b"access-control-request-headers") or REQUEST_HEADERS.encode()
    return [
        (b"access-control-allow-origin", origin if provider.origins else b"*"),
        (b"access-control-allow-methods", METHODS),
        (b"access-control-allow-headers", asked),
        (b"access-control-expose-headers", EXPOSED),
        (b"access-control-max-age", MAX_AGE),
    ]


def answer_headers(provider: Provider | None, headers: Mapping[bytes, bytes]) -> Headers:
    """Return what an answer tells the browser, so that an allowed page may read it."""
    origin = headers.get(b"origin")
    if origin is None or provider is None or not _is_allowed(provider, origin):
        return []
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", EXPOSED),
    ]


def _is_allowed(provider: Provider, origin: bytes) -> bool:
    return not provider.origins or origin.decode("latin-1") in provider.origins
