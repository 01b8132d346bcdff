"""What a response cache keeps, and what it keeps it under."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from llmring_core.ids import ProjectId
from llmring_core.usage import Tokens

Pair = tuple[bytes, bytes]  # a header: its name in lower case, and its value


class CachePolicy(Struct, frozen=True, kw_only=True):
    """What an operator decides."""

    default_ttl_s: int = 300  # of public answers that do not say how long; 0: not kept
    max_ttl_s: int = 31_536_000
    max_object_bytes: int = 1_048_576  # of an answer's body
    max_body_bytes: int = 1_048_576  # of a request's
    stream_responses: bool = False  # whether answers in events are kept too


class CacheableCall(Struct, frozen=True, kw_only=True):
    """A call as its provider would be sent it, by whoever was admitted."""

    project: ProjectId
    provider: str  # the route: its name in the configuration
    account: str  # whose credential it is; not the credential
    method: str
    path: str  # in its normal form
    query: bytes
    headers: Sequence[Pair]  # as the provider gets them, without the credential
    body: bytes | None  # None when it was not read whole


class CacheKey(Struct, frozen=True, kw_only=True):
    """The name of an answer. It begins with the tenant, so that no two share any."""

    project: ProjectId
    method: str
    address: str  # 32 hex digits: of method, path and query
    digest: str  # 64 hex digits: of everything, the tenant first
    path: str


class StoredAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole answer with status 200, as it is given again."""

    headers: tuple[Pair, ...]
    pieces: tuple[bytes, ...]  # the body, in the pieces it came in
    received_at: datetime  # UTC
    initial_age_s: int  # when it was received
    ttl_s: int  # from then on
    model: str | None  # what it was metered as, to tell what a hit saves
    tokens: Tokens | None

    @property
    def expires_at(self) -> datetime:
        """UTC."""
        return self.received_at + timedelta(seconds=self.ttl_s)


class Reply(Struct, frozen=True, kw_only=True):
    """What the caller gets from the cache."""

    status: int  # 200 or 304
    headers: tuple[Pair, ...]
    pieces: tuple[bytes, ...]


class CacheStats(Struct, frozen=True, kw_only=True):
    """How a cache stands; counts are since its start."""

    entries: int | None  # None: it does not know
    bytes: int | None
    max_bytes: int | None
    evicted: int  # to make room
    unfit: int  # too large to be kept, or found damaged
