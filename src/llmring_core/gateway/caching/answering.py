"""Rule: how a stored answer is given again, and announced."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from llmring_core.gateway.caching.directives import date, values
from llmring_core.gateway.caching.model import (
    CacheableCall,
    CacheKey,
    Pair,
    Reply,
    StoredAnswer,
)
from llmring_core.gateway.caching.storing import Verdict, is_stream
from llmring_core.gateway.caching.terms import READING, Terms

Standing: TypeAlias = Literal[
    "hit", "conditional-hit", "miss", "bypass", "stored", "stored (forced)"
]

TAG = re.compile(rb'(?:W/)?("[^"]*")')  # the part that is compared
# What a 304 repeats. Source: RFC 9110 section 15.4.5; Last-Modified where there is no tag.
REPEATED = frozenset(b"cache-control content-location etag expires vary last-modified".split())


def age_s(answer: StoredAnswer, now: datetime) -> int:
    """Return how old the answer is, in whole seconds. Source: RFC 9111 section 4.2.3."""
    return answer.initial_age_s + max(0, int((now - answer.received_at).total_seconds()))


def is_fresh(answer: StoredAnswer, now: datetime) -> bool:
    return answer.received_at <= now < answer.expires_at


def serves(answer: StoredAnswer, terms: Terms, now: datetime) -> bool:
    """Tell whether the answer is fresh, also for somebody who asked for a young one."""
    limit = terms.max_age_s
    return is_fresh(answer, now) and (limit is None or age_s(answer, now) <= limit)


def replied(call: CacheableCall, key: CacheKey, answer: StoredAnswer, now: datetime) -> Reply:
    """Return the answer as the cache gives it: 304 to a caller that has it, else as it came."""
    held = call.method in READING and _is_held(call.headers, answer.headers)
    about = ((b"age", b"%d" % age_s(answer, now)),)
    if held:
        kept = tuple(pair for pair in answer.headers if pair[0] in REPEATED)
        headers = kept + about + announced("conditional-hit", key)
        return Reply(status=304, headers=headers, pieces=())
    headers = answer.headers + about + announced("hit", key)
    return Reply(status=200, headers=headers, pieces=answer.pieces)


def announced(
    standing: Standing, key: CacheKey | None, verdict: Verdict | None = None
) -> tuple[Pair, ...]:
    """Return what tells the caller about the cache; without a key, its call is not for it.

    ``miss`` is no value of X-PROXY-CACHE: clients that know the header take its absence for that.
    """
    headers = [(b"cache-status", f"llm-proxy; {standing}".encode())]
    if standing != "miss":
        headers.append((b"x-proxy-cache", standing.partition(" ")[0].encode()))
    if key is not None:
        headers.append((b"x-proxy-cache-key", key.digest.encode()))
    if verdict is not None and verdict.reason is not None:
        headers.append((b"x-cache-debug", verdict.reason.encode()))
    return tuple(headers)


def standing_of(terms: Terms, verdict: Verdict, headers: Sequence[Pair]) -> Standing:
    """Return how an answer of the provider is announced before its body has come.

    A stream may still break off; so it is not called stored.
    """
    if verdict.ttl_s > 0 and not is_stream(headers):
        return "stored (forced)" if verdict.is_forced else "stored"
    return "bypass" if terms.bypasses else "miss"


def _is_held(asked: Sequence[Pair], kept: Sequence[Pair]) -> bool:
    """Tell whether the caller has this answer. Source: RFC 9110 section 13.2.2.

    Tags compare weakly, and a list with tags leaves the date out of account.
    """
    held = values(asked, b"if-none-match")
    if held:
        mine = {tag for value in values(kept, b"etag") for tag in TAG.findall(value)}
        return held == [b"*"] or not mine.isdisjoint(TAG.findall(b",".join(held)))
    since, modified = values(asked, b"if-modified-since"), values(kept, b"last-modified")
    if len(since) != 1 or len(modified) != 1:
        return False
    there, here = date(since[0]), date(modified[0])
    return there is not None and here is not None and here <= there
