"""Rule: what one receipt says of many calls."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from llmring_core.ids import UsageId
from llmring_core.money import total
from llmring_core.receipts.errors import TooManyLogs
from llmring_core.receipts.flat import FlatReceipt
from llmring_core.usage import DEFAULT_PROFILE, MAX_COUNT, UsageRecord, cost_with

NO_ALIAS = "default"


class Part(Struct, frozen=True, kw_only=True):
    """The calls of one model or alias."""

    calls: int
    tokens: int
    cost_usd: Decimal  # a call without a price counts as 0


class LogSummary(Struct, frozen=True, kw_only=True):
    """Calls, added up."""

    whole: Part
    prompt_tokens: int
    completion_tokens: int
    start: datetime  # UTC, of the first call
    end: datetime  # UTC, of the last one
    by_model: dict[str, Part]
    by_alias: dict[str, Part]

    @property
    def receipt_type(self) -> Literal["single", "batch"]:
        return "single" if self.whole.calls == 1 else "batch"


def priced_now(
    logs: Sequence[UsageRecord], corrections: Sequence[UsageRecord]
) -> list[UsageRecord]:
    """Return ``logs`` at the cost they have after ``corrections``, which are oldest first."""
    of: dict[UsageId | None, list[UsageRecord]] = {}
    for correction in corrections:
        of.setdefault(correction.adjusts, []).append(correction)
    return [
        replace(log, cost_usd=cost_with(log, of[log.id]), cost_status="repriced")
        if log.id in of
        else log
        for log in logs
    ]


def alias_of(log: UsageRecord) -> str:
    return log.alias or NO_ALIAS


def summary_of(logs: Sequence[UsageRecord]) -> LogSummary:
    """Add ``logs`` up, oldest first and at least one, at the cost they carry.

    Raises: TooManyLogs when their tokens are no exact JSON integer.
    """
    whole = _part(logs)
    if whole.tokens > MAX_COUNT:
        raise TooManyLogs(f"these logs have more than {MAX_COUNT} tokens; certify fewer at once")
    prompt_tokens = sum(log.tokens.input_total for log in logs)
    return LogSummary(
        whole=whole,
        prompt_tokens=prompt_tokens,
        completion_tokens=whole.tokens - prompt_tokens,
        start=logs[0].at,
        end=logs[-1].at,
        by_model=_grouped(logs, lambda log: log.model),
        by_alias=_grouped(logs, alias_of),
    )


def receipt_over(
    logs: Sequence[UsageRecord], summary: LogSummary, *, id: str, at: datetime
) -> FlatReceipt:
    """Return the flat receipt of ``logs``: named after the first one, and not split by cost."""
    first, whole = logs[0], summary.whole
    return FlatReceipt(
        receipt_id=id,
        timestamp=at.isoformat(),
        alias=alias_of(first),
        profile=DEFAULT_PROFILE,
        lock_digest="",
        provider=first.provider,
        model=first.model if whole.calls == 1 else f"batch:{whole.calls} calls",
        prompt_tokens=summary.prompt_tokens,
        completion_tokens=summary.completion_tokens,
        total_tokens=whole.tokens,
        input_cost=0.0,
        output_cost=0.0,
        total_cost=float(whole.cost_usd),
    )


def batch_summary(logs: Sequence[UsageRecord], summary: LogSummary) -> dict[str, object]:
    """Return what a receipt says of its logs, as JSON values; amounts as doubles."""
    return {
        "total_conversations": 0,
        "total_calls": summary.whole.calls,
        "total_tokens": summary.whole.tokens,
        "total_cost": float(summary.whole.cost_usd),
        "start_date": summary.start.isoformat(),
        "end_date": summary.end.isoformat(),
        "by_model": _parts(summary.by_model),
        "by_alias": _parts(summary.by_alias),
        "conversation_ids": [],
        "log_ids": [log.id for log in logs],
    }


def _parts(parts: dict[str, Part]) -> dict[str, object]:
    return {
        name: {"calls": part.calls, "cost": float(part.cost_usd), "tokens": part.tokens}
        for name, part in parts.items()
    }


def _grouped(logs: Sequence[UsageRecord], name: Callable[[UsageRecord], str]) -> dict[str, Part]:
    groups: dict[str, list[UsageRecord]] = {}
    for log in logs:
        groups.setdefault(name(log), []).append(log)
    return {name: _part(group) for name, group in groups.items()}


def _part(logs: Sequence[UsageRecord]) -> Part:
    return Part(
        calls=len(logs),
        tokens=sum(log.tokens.input_total + log.tokens.output_total for log in logs),
        cost_usd=total([log.cost_usd or Decimal(0) for log in logs]),
    )
