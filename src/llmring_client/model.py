"""What the server answers, with money as exact decimals.

The server writes some amounts as numbers and some as strings, as its historic clients read them;
here every one is a Decimal.
"""

from datetime import date, datetime
from decimal import Decimal

from msgspec import Struct


class Logged(Struct, frozen=True, kw_only=True):
    """A call that is stored for good."""

    log_id: str
    cost: Decimal | None  # US dollars; None: no price known
    timestamp: datetime  # UTC
    cost_status: str  # registry, client or unpriced


class Call(Struct, frozen=True, kw_only=True):
    """A logged call."""

    id: str
    logged_at: datetime  # UTC
    provider: str
    model: str
    alias: str | None
    profile: str
    origin: str | None
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    cost: Decimal | None = None  # US dollars; None: no price known
    cost_status: str
    metadata: dict[str, object]
    id_at_origin: str | None
    client_log_id: str | None


class Summary(Struct, frozen=True, kw_only=True):
    total_requests: int
    total_cost: Decimal  # US dollars
    total_tokens: int
    unique_models: int
    unique_origins: int
    cached_input_tokens: int
    unpriced_requests: int


class Period(Struct, frozen=True, kw_only=True):
    """A day, week or month."""

    date: date  # its first day
    requests: int
    cost: Decimal  # US dollars
    top_model: str


class Group(Struct, frozen=True, kw_only=True):
    """All calls of one model, alias or origin."""

    requests: int
    cost: Decimal  # US dollars
    input_tokens: int = 0
    output_tokens: int = 0


class Stats(Struct, frozen=True, kw_only=True):
    summary: Summary
    group_by: str
    by_day: list[Period]  # newest first
    by_period: list[Period]  # newest first
    by_model: dict[str, Group]
    by_origin: dict[str, Group]
    by_alias: dict[str, Group]
