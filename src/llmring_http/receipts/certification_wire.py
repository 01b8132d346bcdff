"""The JSON of receipts for calls that are logged already."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from litestar import Response
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from llmring_core.idempotency import Outcome
from llmring_core.ids import UsageId
from llmring_core.receipts import (
    MAX_LOGS,
    Certified,
    LogSelector,
    LogsToCertify,
    LogSummary,
    Named,
    NothingSelected,
    OfConversation,
    Part,
    ReceiptId,
    SinceLastReceipt,
    Within,
    alias_of,
)
from llmring_core.usage import UsageRecord, period_of
from llmring_http.receipts.wire import AnyReceipt, ListQuery
from llmring_http.usage.wire import LogRow, UsdNumber, usd_number

LogIds = Annotated[list[UUID], Meta(max_length=MAX_LOGS)]


class SelectorBody(Struct, frozen=True, kw_only=True):
    """Which logs are meant: the first of these that is given. Those with a receipt never are."""

    conversation_id: UUID | None = None
    start_date: str | None = None  # with end_date: a date, or an instant
    end_date: str | None = None  # a date means its whole day, an instant is not included
    log_ids: LogIds | None = None
    since_last_receipt: bool | None = False

    def selector(self, now: datetime) -> LogSelector:
        """Raises NothingSelected, InvalidField."""
        if self.conversation_id is not None:
            return OfConversation(conversation_id=str(self.conversation_id))
        if self.start_date and self.end_date:
            return Within(period=period_of(self.start_date, self.end_date, UTC, now))
        if self.log_ids:
            return Named(log_ids=tuple(UsageId(str(id)) for id in self.log_ids))
        if self.since_last_receipt:
            return SinceLastReceipt()
        raise NothingSelected


class GenerateBody(SelectorBody, frozen=True, kw_only=True):
    """Logs that one receipt is wanted for."""

    description: str | None = None
    tags: list[str] | None = None

    def wanted(self, now: datetime) -> LogsToCertify:
        """Raises NothingSelected, InvalidField."""
        tags = None if self.tags is None else tuple(self.tags)
        return LogsToCertify(selector=self.selector(now), description=self.description, tags=tags)


class Generated(Struct, frozen=True, kw_only=True):
    receipt: AnyReceipt
    certified_count: int


class PreviewPart(Struct, frozen=True, kw_only=True):
    calls: int
    cost: UsdNumber
    tokens: int


class Preview(Struct, frozen=True, kw_only=True):
    """What a receipt would say; without logs the zeros and a message only."""

    total_logs: int
    total_tokens: int
    total_cost: UsdNumber
    total_conversations: int | UnsetType = UNSET
    start_date: str | UnsetType = UNSET
    end_date: str | UnsetType = UNSET
    by_model: Mapping[str, PreviewPart] | UnsetType = UNSET
    by_alias: Mapping[str, PreviewPart] | UnsetType = UNSET
    receipt_type: str | UnsetType = UNSET
    message: str | UnsetType = UNSET

    @classmethod
    def of(cls, summary: LogSummary | None) -> Self:
        if summary is None:
            said = "No logs found matching the criteria"
            return cls(total_logs=0, total_tokens=0, total_cost=Raw(b"0.0"), message=said)
        return cls(
            total_logs=summary.whole.calls,
            total_tokens=summary.whole.tokens,
            total_cost=usd_number(summary.whole.cost_usd),
            total_conversations=0,
            start_date=summary.start.isoformat(),
            end_date=summary.end.isoformat(),
            by_model=_parts(summary.by_model),
            by_alias=_parts(summary.by_alias),
            receipt_type=summary.receipt_type,
        )


class UncertifiedLog(Struct, frozen=True, kw_only=True):
    id: str
    type: Literal["usage"]
    alias: str
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cost: UsdNumber | UnsetType = UNSET  # absent when no price is known: clients format it
    timestamp: str

    @classmethod
    def of(cls, log: UsageRecord) -> Self:
        return cls(
            id=log.id,
            type="usage",
            alias=alias_of(log),
            provider=log.provider,
            model=log.model,
            input_tokens=log.tokens.input_total,
            output_tokens=log.tokens.output_total,
            cost=UNSET if log.cost_usd is None else usd_number(log.cost_usd),
            timestamp=log.at.isoformat(),
        )


class UncertifiedPage(Struct, frozen=True, kw_only=True):
    logs: Sequence[UncertifiedLog]  # the oldest first
    total: int
    limit: int
    offset: int

    @classmethod
    def of(cls, page: tuple[list[UsageRecord], int], asked: ListQuery) -> Self:
        logs = [UncertifiedLog.of(log) for log in page[0]]
        return cls(logs=logs, total=page[1], limit=asked.limit, offset=asked.offset)


class CertifiedLog(LogRow, frozen=True, kw_only=True):
    """A call as the list of calls has it, at the cost it has by now."""

    type: Literal["usage"] = "usage"


class CertifiedPage(Struct, frozen=True, kw_only=True):
    receipt_id: str
    logs: Sequence[CertifiedLog]  # in the receipt's order
    total: int
    limit: int
    offset: int

    @classmethod
    def of(cls, id: ReceiptId, page: tuple[list[UsageRecord], int], asked: ListQuery) -> Self:
        logs = [CertifiedLog.of(log) for log in page[0]]
        return cls(receipt_id=id, logs=logs, total=page[1], limit=asked.limit, offset=asked.offset)


def generated(outcome: Outcome[Certified]) -> Response[Generated]:
    """Answer with a new receipt, or with the one that the same request got before."""
    receipt = Raw(outcome.value.receipt.document.encode())
    body = Generated(receipt=receipt, certified_count=outcome.value.count)
    headers = {"Idempotency-Replayed": "true"} if outcome.replayed else {}
    return Response(body, status_code=200, headers=headers)


def _parts(parts: Mapping[str, Part]) -> dict[str, PreviewPart]:
    return {
        name: PreviewPart(calls=part.calls, cost=usd_number(part.cost_usd), tokens=part.tokens)
        for name, part in parts.items()
    }
