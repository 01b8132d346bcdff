"""The cache's part in one call: what it answers, and what it keeps of an answer that passes."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from llmring_core.gateway.caching import (
    CacheableCall,
    Capture,
    Looked,
    Pair,
    Received,
    Turn,
    Verdict,
    announced,
    capture_of,
    is_framed,
    is_stream,
    judged,
    refused,
    standing_of,
)
from llmring_core.gateway.forwarding import UpstreamAnswer
from llmring_core.usage import UsageRecord
from llmring_http.gateway.parts import Caching
from llmring_http.gateway.telling import Told

NOT_ASKED: Final = refused("not-asked")

Given: TypeAlias = Callable[[Looked], Awaitable[bool]]


class Tape:
    """What an answer leaves behind on its way to its caller: nothing, where there is no cache."""

    def asked(self) -> None:
        """Take note that a provider is asked."""

    def begin(self, provider: str, answer: UpstreamAnswer, shown: Sequence[Pair]) -> Sequence[Pair]:  # noqa: ARG002  one that keeps needs it
        """Take note of an answer's head, ``shown`` as its caller gets it; return more for it."""
        return ()

    def feed(self, piece: bytes) -> None:
        """Take what the caller gets next."""

    async def end(self, record: UsageRecord | None, *, has_ended: bool, has_failed: bool) -> None:
        """Keep what came, to the end of its connection.

        ``has_ended``: with the marker that its dialect ends streams with. ``has_failed``: what it
        tells is an error. ``record`` is the ledger's.
        """


Fetch: TypeAlias = Callable[[Tape], Awaitable[Exception | None]]


class CacheTape(Tape):
    """Keeps an answer of the provider that was meant, and gives it to all who wait for the same."""

    def __init__(
        self,
        caching: Caching,
        call: CacheableCall,
        told: Told,
        looked: Looked,
        turn: Turn | None = None,
    ) -> None:
        self._caching = caching
        self._call = call
        self._told = told
        self._looked = looked
        self._turn = turn  # None: nobody waits
        self._verdict: Verdict | None = None
        self._headers: Sequence[Pair] = ()
        self._capture: Capture | None = None  # None: nothing is to be kept

    def asked(self) -> None:
        self._caching.measures.count(self._looked.standing)

    def begin(self, provider: str, answer: UpstreamAnswer, shown: Sequence[Pair]) -> Sequence[Pair]:
        if self._looked.key is None:  # the call is not for the cache, whatever the answer says
            self._told.cache = self._looked.standing
            return announced(self._looked.standing, None, NOT_ASKED)
        self._verdict = verdict = self._judged(provider, answer)
        self._headers, self._capture = shown, None
        if verdict.ttl_s > 0:
            self._capture = capture_of(self._call, shown, self._caching.policy)
        else:
            self._let_go()
        self._told.cache = standing = standing_of(self._looked.terms, verdict, shown)
        return announced(standing, self._looked.key, verdict)

    def feed(self, piece: bytes) -> None:
        if self._capture is not None:
            self._capture.feed(piece)
            if self._capture.is_over:
                self._let_go()

    async def end(self, record: UsageRecord | None, *, has_ended: bool, has_failed: bool) -> None:
        is_whole = not has_failed and (has_ended or not is_stream(self._headers))
        pieces = None if self._capture is None else self._capture.finished(is_whole)
        key, verdict = self._looked.key, self._verdict
        if pieces is None or key is None or verdict is None:
            self._let_go()
            return
        known = record is not None and record.usage_source != "missing"
        received = Received(
            headers=self._headers,
            pieces=pieces,
            model=record.model if record else None,
            tokens=record.tokens if record and known else None,
        )
        answer = await self._caching.keep(key, verdict, received)
        if self._turn is not None:
            self._turn.land(answer)

    def _judged(self, provider: str, answer: UpstreamAnswer) -> Verdict:
        if provider != self._call.provider:
            return refused("other-provider")
        if not is_framed(answer.headers):
            return refused("length")
        terms, caching = self._looked.terms, self._caching
        return judged(terms, answer.status, answer.headers, caching.clock(), caching.policy)

    def _let_go(self) -> None:
        """Let all who wait fetch for themselves: this answer is nobody else's."""
        self._capture = None
        if self._turn is not None:
            self._turn.land(None)


async def through_cache(
    caching: Caching, call: CacheableCall, told: Told, given: Given, fetch: Fetch
) -> Exception | None:
    """Have ``call`` answered by the cache, or fetched, once for all who want the same now.

    Returns what ``fetch`` does. Raises what it and ``given`` do.
    """
    looked = await caching.find(call)
    if await given(looked):
        return None
    if looked.key is None or not looked.terms.reads:
        return await fetch(CacheTape(caching, call, told, looked))
    async with caching.flights.take(looked.key) as turn:
        if turn.answer is not None:
            looked = await caching.find(call, turn.answer)
            if await given(looked):
                return None
        return await fetch(CacheTape(caching, call, told, looked, turn))
