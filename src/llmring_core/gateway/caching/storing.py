"""Rule: which answers are kept, for how long, and what of their headers.

The gateway is a shared cache in which nothing is shared between projects. Source: RFC 9111.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from llmring_core.gateway.caching.directives import (
    Directives,
    date,
    directives,
    listed,
    seconds,
    values,
)
from llmring_core.gateway.caching.keys import is_keyed
from llmring_core.gateway.caching.model import CachePolicy, Pair
from llmring_core.gateway.caching.terms import Terms

Reason: TypeAlias = Literal[
    "not-asked",
    "other-provider",
    "status-not-cacheable",
    "no-store",
    "private",
    "vary",
    "length",
    "too-large",
    "streaming-response",
    "no-cache",
    "set-cookie",
    "not-public",
    "ttl-zero-ttl=0s-from-resp=true",
    "ttl-zero-ttl=0s-from-resp=false",
]

NOT_KEPT = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer "
    b"transfer-encoding upgrade date age set-cookie set-cookie2 x-request-id request-id "
    b"cache-status x-cache-debug retry-after alt-svc strict-transport-security "
    b"clear-site-data".split()
)  # what is true of one exchange, or of one caller, only
NOT_KEPT_PREFIXES = (
    b"access-control-",
    b"x-proxy",
    b"x-llmring-",
    b"x-upstream-",
    b"x-ratelimit-",
    b"anthropic-ratelimit-",
)


class Verdict(Struct, frozen=True, kw_only=True):
    """Whether an answer is kept, if it comes whole."""

    ttl_s: int  # 0: it is not
    initial_age_s: int
    is_forced: bool  # by the caller
    reason: Reason | None  # why it is not


def judged(
    terms: Terms, status: int, headers: Sequence[Pair], now: datetime, policy: CachePolicy
) -> Verdict:
    """Tell by its head whether an answer is kept; ``headers`` as the provider sent them.

    A caller that asks for its answer to be kept is not told no by a provider that is silent, asks
    for revalidation or sets cookies; ``no-store`` and ``private`` are the provider's last word.
    """
    said = directives(headers)
    reason = _obstacle(terms, status, headers, said, policy)
    if reason is not None:
        return refused(reason)
    age_s = _initial_age_s(headers)
    if terms.forced_ttl_s is not None:
        return Verdict(ttl_s=terms.forced_ttl_s, initial_age_s=age_s, is_forced=True, reason=None)
    reason = _silence(headers, said)
    if reason is not None:
        return refused(reason)
    stated = _stated_ttl_s(headers, said, now)
    ttl_s = min(policy.default_ttl_s if stated is None else stated - age_s, policy.max_ttl_s)
    if ttl_s <= 0:
        return refused(
            "ttl-zero-ttl=0s-from-resp=false"
            if stated is None
            else "ttl-zero-ttl=0s-from-resp=true"
        )
    return Verdict(ttl_s=ttl_s, initial_age_s=age_s, is_forced=False, reason=None)


def refused(reason: Reason) -> Verdict:
    """Return that an answer is not kept, and why."""
    return Verdict(ttl_s=0, initial_age_s=0, is_forced=False, reason=reason)


def kept_headers(headers: Sequence[Pair], verdict: Verdict) -> tuple[Pair, ...]:
    """Return what of an answer's headers is given again.

    An answer kept at its caller's wish says so to nobody else: the copy is ``private``.
    """
    named = set(listed(headers, b"connection"))
    if verdict.is_forced:
        named |= {b"cache-control", b"expires", b"pragma"}
    kept = [
        pair
        for pair in headers
        if pair[0] not in NOT_KEPT
        and not pair[0].startswith(NOT_KEPT_PREFIXES)
        and pair[0] not in named
    ]
    if verdict.is_forced:
        kept.append((b"cache-control", b"private, max-age=%d" % verdict.ttl_s))
    return tuple(kept)


def announced_length(headers: Sequence[Pair]) -> int | None:
    """Return how many bytes the body is to have; None when that is not said, or not clearly."""
    lengths = set(values(headers, b"content-length"))
    length = lengths.pop() if len(lengths) == 1 else b""
    return int(length) if length.isdigit() and len(length) < 19 else None


def is_framed(headers: Sequence[Pair]) -> bool:
    """Tell whether a body that breaks off can be told from a whole one."""
    return bool(values(headers, b"content-length") or values(headers, b"transfer-encoding"))


def is_stream(headers: Sequence[Pair]) -> bool:
    """Tell whether the answer comes in events."""
    types = values(headers, b"content-type")
    return any(each.lower().startswith(b"text/event-stream") for each in types)


def _obstacle(
    terms: Terms, status: int, headers: Sequence[Pair], said: Directives, policy: CachePolicy
) -> Reason | None:
    """Return why nobody can have this answer kept."""
    length = announced_length(headers)
    vary = listed(headers, b"vary")
    reasons: tuple[tuple[bool, Reason], ...] = (
        (not terms.stores, "not-asked"),
        (status != 200 or bool(values(headers, b"content-range")), "status-not-cacheable"),
        (b"no-store" in said, "no-store"),
        (b"private" in said, "private"),
        (b"*" in vary or not all(map(is_keyed, vary)), "vary"),
        (length is None and bool(values(headers, b"content-length")), "length"),
        (length is not None and length > policy.max_object_bytes, "too-large"),
        (is_stream(headers) and not policy.stream_responses, "streaming-response"),
    )
    return next((reason for is_met, reason in reasons if is_met), None)


def _silence(headers: Sequence[Pair], said: Directives) -> Reason | None:
    """Return why an answer is not kept unless its caller asks for it."""
    if b"no-cache" in said:
        return "no-cache"
    if values(headers, b"set-cookie"):
        return "set-cookie"
    if b"public" not in said and seconds(said.get(b"s-maxage")) == 0:
        return "not-public"  # every call carries a credential. Source: RFC 9111 section 3.5
    return None


def _stated_ttl_s(headers: Sequence[Pair], said: Directives, now: datetime) -> int | None:
    """Return how long it is fresh from when it was made. Source: RFC 9111 section 4.2.1."""
    for name in (b"s-maxage", b"max-age"):
        if name in said:
            return seconds(said[name])
    expires = values(headers, b"expires")
    if not expires:
        return None
    until = date(expires[0]) if len(expires) == 1 else None
    return 0 if until is None else int((until - _made_at(headers, now)).total_seconds())


def _initial_age_s(headers: Sequence[Pair]) -> int:
    """Return how old it is on arrival, as caches on its way say.

    Their clocks are not compared with ours: a provider whose clock is a minute late would never be
    cached. Source: RFC 9111 section 4.2.3.
    """
    return max((seconds(age) for age in values(headers, b"age")), default=0)


def _made_at(headers: Sequence[Pair], now: datetime) -> datetime:
    dates = values(headers, b"date")
    return (date(dates[0]) if len(dates) == 1 else None) or now
