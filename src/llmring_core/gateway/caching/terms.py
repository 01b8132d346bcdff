"""Rule: what a caller's own headers ask of the cache."""

from msgspec import Struct

from llmring_core.gateway.caching.directives import Directives, directives, listed, seconds
from llmring_core.gateway.caching.model import CacheableCall, CachePolicy

READING = ("GET", "HEAD")
PARTIAL = frozenset(b"range if-range if-match if-unmodified-since upgrade".split())
MAX_PATH = 512  # characters; it is part of what an answer is kept under


class Terms(Struct, frozen=True, kw_only=True):
    """What may be done for one call."""

    reads: bool  # a stored answer may be given
    stores: bool  # the provider's answer may be kept
    bypasses: bool  # the caller wants the provider asked
    max_age_s: int | None  # the oldest answer it takes
    forced_ttl_s: int | None  # it asks for its answer to be kept, for so long


NOTHING = Terms(reads=False, stores=False, bypasses=False, max_age_s=None, forced_ttl_s=None)
UNWANTED = Terms(reads=False, stores=False, bypasses=True, max_age_s=None, forced_ttl_s=None)


def terms_of(call: CacheableCall, policy: CachePolicy) -> Terms:
    """Return what may be done for ``call``.

    GET and HEAD are looked up by themselves, POST only when its caller says ``public`` and for
    how long, other methods never. What a caller asks for holds within its own project only.
    """
    if call.method not in (*READING, "POST") or len(call.path) > MAX_PATH:
        return NOTHING
    if call.body is None or len(call.body) > policy.max_body_bytes:
        return NOTHING
    if any(name in PARTIAL for name, _ in call.headers):
        return NOTHING
    asked = directives(call.headers)
    if b"no-store" in asked:
        return UNWANTED
    forced_ttl_s = _forced(asked, policy)
    if call.method == "POST" and forced_ttl_s is None:
        return NOTHING
    bypasses = _bypasses(call, asked)
    return Terms(
        reads=not bypasses,
        stores=True,
        bypasses=bypasses,
        max_age_s=seconds(asked[b"max-age"]) if b"max-age" in asked else None,
        forced_ttl_s=forced_ttl_s,
    )


def _forced(asked: Directives, policy: CachePolicy) -> int | None:
    name = b"s-maxage" if b"s-maxage" in asked else b"max-age"
    ttl_s = seconds(asked.get(name))
    return min(ttl_s, policy.max_ttl_s) if b"public" in asked and ttl_s > 0 else None


def _bypasses(call: CacheableCall, asked: Directives) -> bool:
    if b"no-cache" in asked or (b"max-age" in asked and seconds(asked[b"max-age"]) == 0):
        return True
    return not asked and b"no-cache" in listed(call.headers, b"pragma")
