"""Calls, answers and keys of the response cache."""

from collections.abc import Sequence
from datetime import datetime

from llmring_core.gateway.caching import (
    CacheableCall,
    CacheKey,
    CachePolicy,
    Pair,
    StoredAnswer,
    Terms,
    Verdict,
    judged,
    key_of,
    terms_of,
)
from llmring_core.ids import ProjectId
from llmring_core.usage import Tokens
from tests.builders.kernel import NOON, P1

POLICY = CachePolicy()
FORCED = (b"cache-control", b"public, max-age=60")
PUBLIC = (b"cache-control", b"public, max-age=60")
DATE = (b"date", b"Fri, 20 Nov 2026 12:00:00 GMT")
PIECES = (b'data: {"a":1}\n', b"\n", b"data: [DONE]\r\n\r\n", b"\xff\x00")


def a_call(
    *headers: Pair,
    project: ProjectId = P1,
    provider: str = "openai",
    account: str = "k1",
    method: str = "GET",
    path: str = "/v1/models",
    query: bytes = b"",
    body: bytes | None = b"",
) -> CacheableCall:
    return CacheableCall(
        project=project,
        provider=provider,
        account=account,
        method=method,
        path=path,
        query=query,
        headers=headers,
        body=body,
    )


def a_key(project: ProjectId = P1, method: str = "GET", **parts: str) -> CacheKey:
    query = parts.pop("query", "").encode()
    return key_of(
        a_call(
            project=project,
            method=method,
            path=parts.pop("path", "/v1/models"),
            query=query,
            account=parts.pop("account", "k1"),
        )
    )


def an_answer(
    *headers: Pair,
    pieces: Sequence[bytes] = PIECES,
    received_at: datetime = NOON,
    ttl_s: int = 60,
    initial_age_s: int = 0,
) -> StoredAnswer:
    return StoredAnswer(
        headers=((b"content-type", b"text/event-stream"), (b"x-\xe9", b"\xff"), *headers),
        pieces=tuple(pieces),
        received_at=received_at,
        initial_age_s=initial_age_s,
        ttl_s=ttl_s,
        model="gpt-4o-é",
        tokens=Tokens(input_uncached=2**53, output=1),
    )


def terms(*headers: Pair, method: str = "GET", policy: CachePolicy = POLICY) -> Terms:
    return terms_of(a_call(*headers, method=method), policy)


def verdict(
    *headers: Pair,
    asked: Sequence[Pair] = (),
    status: int = 200,
    policy: CachePolicy = POLICY,
) -> Verdict:
    return judged(terms(*asked, policy=policy), status, headers, NOON, policy)
