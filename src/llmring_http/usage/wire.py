"""The usage endpoints' JSON. Renaming a field here breaks clients; nowhere else does."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, Self

from litestar import Response
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field, json

from llmring_core.errors import InvalidField
from llmring_core.money import plain, usd_from_number, usd_from_text
from llmring_core.pages import PAGE_DEFAULT, Page, PageRequest
from llmring_core.usage import (
    MAX_COUNT,
    JsonObject,
    Logged,
    Selection,
    Tokens,
    UsageRecord,
    UsageToLog,
    period_of,
    zone_named,
)

Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
PageSize = Annotated[int, Meta(ge=1, le=500)]
UsdIn = Annotated[
    Raw, Meta(extra_json_schema={"type": ["number", "string", "null"]}, description="US dollars")
]
UsdNumber = Annotated[Raw, Meta(extra_json_schema={"type": ["number", "null"]})]

NULL = Raw(b"null")


class LogBody(Struct, frozen=True, kw_only=True):
    """A call that happened. Unknown members are ignored: prompts and answers are never stored."""

    provider: str
    model: str
    input_tokens: Count  # the whole prompt, cached or not
    output_tokens: Count  # with reasoning
    cached_input_tokens: Count | None = 0  # the part of input_tokens read from a cache
    cache_write_5m_tokens: Count | None = 0  # written to a cache, not part of input_tokens
    cache_write_1h_tokens: Count | None = 0
    reasoning_output_tokens: Count | None = 0  # the part of output_tokens spent on reasoning
    cost: UsdIn = field(default_factory=Raw)  # absent: the registry's price applies
    alias: str | None = None
    profile: str | None = None
    origin: str | None = None
    id_at_origin: str | None = None
    latency_ms: Count | None = None
    metadata: JsonObject = {}
    client_log_id: str | None = None  # names this record: logging it again changes nothing

    def command(self) -> UsageToLog:
        """Raises InvalidField."""
        return UsageToLog(
            provider=self.provider,
            model=self.model,
            tokens=self._tokens(),
            cost_usd=_usd(self.cost),
            alias=self.alias,
            profile=self.profile,
            origin=self.origin,
            id_at_origin=self.id_at_origin,
            latency_ms=self.latency_ms,
            metadata=self.metadata,
            client_log_id=self.client_log_id,
        )

    def _tokens(self) -> Tokens:
        cached, reasoning = self.cached_input_tokens or 0, self.reasoning_output_tokens or 0
        if cached > self.input_tokens:
            raise InvalidField("cached_input_tokens", "must not exceed input_tokens")
        if reasoning > self.output_tokens:
            raise InvalidField("reasoning_output_tokens", "must not exceed output_tokens")
        return Tokens(
            input_uncached=self.input_tokens - cached,
            input_cache_read=cached,
            input_cache_write_5m=self.cache_write_5m_tokens or 0,
            input_cache_write_1h=self.cache_write_1h_tokens or 0,
            output=self.output_tokens - reasoning,
            output_reasoning=reasoning,
        )


class LogAnswer(Struct, frozen=True, kw_only=True):
    log_id: str
    cost: UsdNumber  # null: no price known
    timestamp: datetime
    cost_status: str

    @classmethod
    def of(cls, logged: Logged) -> Self:
        return cls(
            log_id=logged.id,
            cost=usd_number(logged.cost_usd),
            timestamp=logged.at,
            cost_status=logged.cost_status,
        )


class SelectionQuery(Struct, frozen=True, kw_only=True):
    """Which calls are meant; what is absent does not restrict."""

    start_date: str | None = None
    end_date: str | None = None
    tz: str | None = None  # IANA time zone of bare dates
    alias: str | None = None
    model: str | None = None
    origin: str | None = None

    def selection(self, now: datetime) -> Selection:
        """Raises InvalidField."""
        period = period_of(self.start_date, self.end_date, zone_named(self.tz), now)
        return Selection(period=period, model=self.model, alias=self.alias, origin=self.origin)


class ListQuery(SelectionQuery, frozen=True, kw_only=True):
    limit: PageSize | None = None  # absent: 50 as JSON, all of them as a file
    offset: Count = 0
    cursor: str | None = None  # X-Next-Cursor of the page before
    format: Literal["json", "csv", "jsonl"] = "json"

    @property
    def page(self) -> PageRequest:
        limit = PAGE_DEFAULT if self.limit is None else self.limit
        return PageRequest(limit=limit, offset=self.offset, cursor=self.cursor)


class LogRow(Struct, frozen=True, kw_only=True):
    id: str
    logged_at: datetime
    provider: str
    model: str
    alias: str | None
    profile: str
    origin: str | None
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    reasoning_output_tokens: int
    cost: UsdNumber | UnsetType = UNSET  # absent when no price is known: clients format it
    cost_status: str
    usage_source: str
    kind: str
    attempt_status: str
    latency_ms: int | None
    metadata: JsonObject
    conversation_id: str | None
    id_at_origin: str | None
    client_log_id: str | None
    request_id: str | None
    adjusts: str | None  # of an adjustment: the id of the call whose cost it corrects

    @classmethod
    def of(cls, record: UsageRecord) -> Self:
        return cls(
            id=record.id,
            logged_at=record.at,
            provider=record.provider,
            model=record.model,
            alias=record.alias,
            profile=record.profile,
            origin=record.origin,
            input_tokens=record.tokens.input_total,
            output_tokens=record.tokens.output_total,
            cached_input_tokens=record.tokens.input_cache_read,
            reasoning_output_tokens=record.tokens.output_reasoning,
            cost=UNSET if record.cost_usd is None else usd_number(record.cost_usd),
            cost_status=record.cost_status,
            usage_source=record.usage_source,
            kind=record.kind,
            attempt_status=record.attempt_status,
            latency_ms=record.latency_ms,
            metadata=record.metadata,
            conversation_id=None,
            id_at_origin=record.id_at_origin,
            client_log_id=record.client_log_id,
            request_id=record.request_id,
            adjusts=record.adjusts,
        )


def listed(page: Page[UsageRecord]) -> Response[list[LogRow]]:
    """Answer with a page's rows, and say where the next ones start."""
    headers = {"X-Next-Cursor": page.next} if page.next else {}
    return Response([LogRow.of(record) for record in page.items], headers=headers)


def usd_number(amount: Decimal | None) -> Raw:
    """Write dollars as a JSON number: exact, no exponent; null for no price."""
    return NULL if amount is None else Raw(plain(amount).encode())


def _usd(given: Raw) -> Decimal | None:
    literal = bytes(given)
    if literal in (b"", b"null"):
        return None
    if literal.startswith(b'"'):
        return usd_from_text("cost", json.decode(literal, type=str))
    return usd_from_number("cost", literal.decode())
