"""Keeping answers, forgetting them, and finding them again."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct

from llmring_core.clock import Clock
from llmring_core.gateway.caching.answering import Standing, replied, serves
from llmring_core.gateway.caching.capture import Capture
from llmring_core.gateway.caching.errors import CachingDisabled
from llmring_core.gateway.caching.keys import key_of
from llmring_core.gateway.caching.model import (
    CacheableCall,
    CacheKey,
    CachePolicy,
    Pair,
    Reply,
    StoredAnswer,
)
from llmring_core.gateway.caching.ports import CacheMeasures, ResponseCache
from llmring_core.gateway.caching.purging import PurgeWanted, purge_of
from llmring_core.gateway.caching.storing import Verdict, announced_length, is_stream, kept_headers
from llmring_core.gateway.caching.terms import Terms, terms_of
from llmring_core.usage import Tokens


class Looked(Struct, frozen=True, kw_only=True):
    """What the cache says to a call."""

    terms: Terms
    key: CacheKey | None  # None: this call is not for the cache
    standing: Standing
    answer: StoredAnswer | None  # what it gives; or what the caller wants checked anew
    reply: Reply | None  # None: the provider is to be asked


class Received(Struct, frozen=True, kw_only=True):
    """An answer that came whole."""

    headers: Sequence[Pair]  # as its caller was sent them
    pieces: tuple[bytes, ...]
    model: str | None
    tokens: Tokens | None


@dataclass(frozen=True, slots=True)
class KeepAnswer:
    """Keep an answer that came whole and was judged worth it."""

    cache: ResponseCache
    measures: CacheMeasures
    clock: Clock

    async def __call__(
        self, key: CacheKey, verdict: Verdict, received: Received
    ) -> StoredAnswer | None:
        """Return what others may be given, even where the cache has no room; None: nothing."""
        if verdict.ttl_s <= 0:
            return None
        answer = StoredAnswer(
            headers=kept_headers(received.headers, verdict),
            pieces=_kept(received),
            received_at=self.clock(),
            initial_age_s=verdict.initial_age_s,
            ttl_s=verdict.ttl_s,
            model=received.model,
            tokens=received.tokens,
        )
        if await self.cache.put(key, answer):
            self.measures.count("stored (forced)" if verdict.is_forced else "stored")
        return answer


@dataclass(frozen=True, slots=True)
class PurgeCache:
    """Forget stored answers, as a manager asks."""

    cache: ResponseCache | None

    async def __call__(self, wanted: PurgeWanted) -> int:
        """Return how many answers are gone.

        Raises: CachingDisabled, NothingNamed, BadPurgeUrl, BadPurgePrefix, CacheUnavailable.
        """
        if self.cache is None:
            raise CachingDisabled
        return await self.cache.purge(purge_of(wanted))


@dataclass(frozen=True, slots=True)
class FindAnswer:
    """Find what a call may be answered with; whoever makes it is admitted already."""

    cache: ResponseCache
    measures: CacheMeasures
    clock: Clock
    policy: CachePolicy

    async def __call__(self, call: CacheableCall, landed: StoredAnswer | None = None) -> Looked:
        """Return it; ``landed`` is what another has just fetched under the same key.

        With ``landed`` the cache is not asked. Counted is what is given; whoever then asks the
        provider counts that, as it may have waited for somebody else and have looked again.
        """
        terms = terms_of(call, self.policy)
        if not terms.stores:
            return _unanswered(terms, None, None)
        key = key_of(call)
        answer = landed or await self.cache.get(key)
        now = self.clock()
        if answer is None or not terms.reads or not serves(answer, terms, now):
            return _unanswered(terms, key, answer)
        reply = replied(call, key, answer, now)
        standing: Standing = "hit" if reply.status == 200 else "conditional-hit"
        self.measures.count(standing)
        return Looked(terms=terms, key=key, standing=standing, answer=answer, reply=reply)


def capture_of(call: CacheableCall, headers: Sequence[Pair], policy: CachePolicy) -> Capture:
    """Return what collects the answer to ``call``; an answer to HEAD has no body to wait for."""
    length = None if call.method == "HEAD" else announced_length(headers)
    return Capture(policy.max_object_bytes, length)


def _unanswered(terms: Terms, key: CacheKey | None, answer: StoredAnswer | None) -> Looked:
    standing: Standing = "bypass" if terms.bypasses else "miss"
    return Looked(terms=terms, key=key, standing=standing, answer=answer, reply=None)


def _kept(received: Received) -> tuple[bytes, ...]:
    """Return the body in the pieces it came in, where that can mean anything to anybody."""
    if len(received.pieces) < 2 or is_stream(received.headers):
        return received.pieces
    return (b"".join(received.pieces),)
