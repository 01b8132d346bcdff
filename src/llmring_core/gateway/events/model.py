"""What is told of a call."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from llmring_core.gateway.caching import Pair, Standing
from llmring_core.ids import ProjectId
from llmring_core.usage import AttemptStatus, Tokens, UsageSource


class CallEvent(Struct, frozen=True, kw_only=True):
    """A call at ``/v1`` was answered: by a provider, by the cache, or refused here.

    Whatever has a default may be unknown, as it is of a call that was refused.
    """

    at: datetime  # UTC, when the call came
    request_id: str
    method: str
    path: str  # without the query
    status: int
    duration_ns: int  # until the last byte of the answer
    response_headers: tuple[Pair, ...]
    request_body: bytes = b""  # its beginning
    is_request_truncated: bool = False
    response_body: bytes = b""  # its beginning
    is_response_truncated: bool = False
    project: ProjectId | None = None
    token_id: str | None = None  # never the secret
    token_metadata: dict[str, str] | None = None
    provider: str | None = None
    model: str | None = None  # as the caller named it
    tokens: Tokens | None = None
    usage_source: UsageSource | None = None
    cost_usd: Decimal | None = None
    outcome: AttemptStatus | None = None  # None: no provider was asked
    cache: Standing | None = None  # None: the cache was not asked

    def __repr__(self) -> str:  # a traceback or a log may print it
        return f"CallEvent(request_id={self.request_id!r}, status={self.status})"
