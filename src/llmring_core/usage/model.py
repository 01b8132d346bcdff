"""Entities and values of the usage ledger."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from llmring_core.ids import ProjectId, UsageId

MAX_COUNT = 2**53 - 1  # the largest integer every JSON reader keeps exactly
MAX_TOTAL = 2**63 - 1  # tokens of a quarter of an hour, by model, alias and origin

JsonObject = dict[str, object]

Kind = Literal["call", "cache_hit", "adjustment"]
AttemptStatus = Literal["complete", "truncated", "client_disconnected", "upstream_error", "unknown"]
UsageSource = Literal["provider", "client", "estimated", "missing"]
CostStatus = Literal["registry", "client", "unpriced", "repriced"]


class Tokens(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a call consumed, as disjoint counts: every token is in exactly one of them."""

    input_uncached: int = 0
    input_cache_read: int = 0
    input_cache_write_5m: int = 0
    input_cache_write_1h: int = 0
    output: int = 0  # without reasoning
    output_reasoning: int = 0

    @property
    def input_total(self) -> int:
        """The prompt, cached or not; cache writes are extra, as providers report them."""
        return self.input_uncached + self.input_cache_read

    @property
    def output_total(self) -> int:
        return self.output + self.output_reasoning

    @property
    def total(self) -> int:
        """Every token, of whatever kind."""
        written = self.input_cache_write_5m + self.input_cache_write_1h
        return self.input_total + written + self.output_total


class RateLine(Struct, frozen=True, kw_only=True):
    """One line of a bill: ``amount = quantity x rate / per``. Amounts are decimal strings."""

    unit: str  # a member of Tokens, or input_long_context
    quantity: int
    rate: str  # US dollars
    per: int  # tokens
    amount: str  # US dollars, exact


class UsageRecord(Struct, frozen=True, kw_only=True):
    """One LLM call and what it cost. Appended to the ledger, never edited."""

    id: UsageId
    project: ProjectId
    at: datetime  # UTC, this server's clock
    kind: Kind
    attempt_status: AttemptStatus
    provider: str
    model: str  # as the caller named it
    alias: str | None
    profile: str
    origin: str | None
    id_at_origin: str | None  # not unique: clients send a conversation's id
    tokens: Tokens
    usage_source: UsageSource
    cost_usd: Decimal | None  # None: no price known
    cost_status: CostStatus
    registry_cost_usd: Decimal | None  # what the registry says, also when the caller said another
    registry_version: str | None
    registry_digest: str | None  # SHA-256 of the price list used, 64 hex digits
    rates: tuple[RateLine, ...]  # of registry_cost_usd
    latency_ms: int | None
    metadata: JsonObject
    client_log_id: str | None
    request_id: str | None
    adjusts: UsageId | None  # of an adjustment: the call whose cost it corrects


class Logged(Struct, frozen=True, kw_only=True):
    """What whoever logged a call is told."""

    id: UsageId
    at: datetime  # UTC
    cost_usd: Decimal | None
    cost_status: CostStatus


class Sums(Struct, frozen=True, kw_only=True):
    """Totals over some calls. Adding is associative, so databases may do it in any order."""

    requests: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = Decimal(0)  # of the priced calls
    unpriced: int = 0  # calls


class Totals(Struct, frozen=True, kw_only=True):
    """The same calls, added up in three directions. None collects what has no name."""

    by_day_and_model: dict[tuple[date, str], Sums]  # days in the asker's time zone
    by_alias: dict[str | None, Sums]
    by_origin: dict[str | None, Sums]


class Cell(Struct, frozen=True, kw_only=True):
    """The totals of one day, model, alias and origin."""

    day: date  # in the asker's time zone
    model: str
    alias: str | None
    origin: str | None
    sums: Sums
