"""Rules: how often a token may be used, and how much a token or a project may use up."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from llmring_core.errors import InvalidField
from llmring_core.gateway.errors import (
    ExpiredToken,
    InactiveToken,
    RequestsUsedUp,
    TooManyRequests,
)
from llmring_core.ids import HoldId, ProjectId, TokenId
from llmring_core.money import MAX_RECORD_USD, QUANTUM

MAX_COUNT: Final = 2**53 - 1  # tokens or requests; JSON readers keep it exact
WINDOW: Final = timedelta(minutes=1)

# What may be held or remembered as spent at a time. Three such sums fit into 64 bits.
MOST_USD: Final = Decimal(4_000_000)
MOST_TOKENS: Final = 4 * 10**18


class Limits(Struct, frozen=True, kw_only=True):
    """What a token or a project may use up in all; None: as much as it likes.

    Raises: InvalidField, when built with a limit that is none.
    """

    max_usd: Decimal | None = None
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.max_usd is not None:
            check_usd("max_usd", self.max_usd)
        if self.max_tokens is not None:
            check_count("max_tokens", self.max_tokens)


class LimitsChange(Struct, frozen=True, kw_only=True):
    """What is to change of limits; what is unset stays. Raises: InvalidField."""

    max_usd: Decimal | UnsetType | None = UNSET
    max_tokens: int | UnsetType | None = UNSET

    def __post_init__(self) -> None:
        self.over(Limits())

    def over(self, before: Limits) -> Limits:
        """Return ``before`` with what is set here in its place."""
        return Limits(
            max_usd=before.max_usd if self.max_usd is UNSET else self.max_usd,
            max_tokens=before.max_tokens if self.max_tokens is UNSET else self.max_tokens,
        )


class Budget(Struct, frozen=True, kw_only=True):
    """Limits, and what there is of them. It counts from when it was first set."""

    limits: Limits
    spent_usd: Decimal
    spent_tokens: int
    held_usd: Decimal  # for calls under way
    held_tokens: int


class Hold(Struct, frozen=True, kw_only=True):
    """What a call under way may come to. After ``lapses_at`` it blocks nobody any more."""

    id: HoldId
    project: ProjectId
    token: TokenId
    usd: Decimal
    tokens: int
    lapses_at: datetime  # UTC


class Counters(Struct, frozen=True, kw_only=True):
    """How far a token is used, and how far it may be."""

    is_active: bool
    expires_at: datetime  # UTC
    max_requests: int | None
    request_count: int
    max_per_minute: int | None
    window_began_at: datetime | None  # UTC; its minute begins with its first request
    window_count: int


Refusal: TypeAlias = InactiveToken | ExpiredToken | RequestsUsedUp | TooManyRequests


class Taken(Struct, frozen=True, kw_only=True):
    """How many of the requests asked for were granted, and why the others were not."""

    granted: int
    refusal: Refusal | None


def is_over(began_at: datetime | None, at: datetime) -> bool:
    """Tell whether a window that began then is over at ``at``.

    So is one that begins in the future: a clock that was set back must not stop a token.
    """
    return began_at is None or not began_at - WINDOW < at < began_at + WINDOW


def room(counters: Counters, wanted: int, at: datetime) -> Taken:
    """Return how many of ``wanted`` requests the token may make at ``at`` (UTC)."""
    if not counters.is_active:
        return Taken(granted=0, refusal=InactiveToken())
    if at >= counters.expires_at:
        return Taken(granted=0, refusal=ExpiredToken())
    granted, refusal = wanted, None
    if counters.max_per_minute is not None:
        began_at, used = counters.window_began_at, counters.window_count
        if began_at is None or is_over(began_at, at):
            began_at, used = at, 0
        left = max(counters.max_per_minute - used, 0)
        if left < granted:
            wait = began_at + WINDOW - at
            granted, refusal = left, TooManyRequests(-(-wait // timedelta(seconds=1)))
    if counters.max_requests is not None:
        left = max(counters.max_requests - counters.request_count, 0)
        if left < granted:
            return Taken(granted=left, refusal=RequestsUsedUp())
    return Taken(granted=granted, refusal=refusal)


def check_usd(field: str, usd: Decimal) -> None:
    """Raises InvalidField unless ``usd`` is an amount one record can have."""
    if not usd.is_finite() or not 0 <= usd <= MAX_RECORD_USD or usd % QUANTUM:
        rule = f"must be between 0 and {MAX_RECORD_USD} US dollars with at most 12 decimals"
        raise InvalidField(field, rule)


def check_count(field: str, count: int) -> None:
    """Raises InvalidField when ``count`` is negative or no exact JSON integer."""
    if not 0 <= count <= MAX_COUNT:
        raise InvalidField(field, f"must be between 0 and {MAX_COUNT}")
