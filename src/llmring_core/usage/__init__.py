"""Usage: what was called, by whom, at what cost."""

from llmring_core.usage.aggregation import DaySums, Summary, add, summarise, sums_of, totals_of
from llmring_core.usage.batches import (
    Batch,
    BatchResult,
    Line,
    Refusal,
    Taken,
    named_by_content,
)
from llmring_core.usage.commands import (
    DEFAULT_PROFILE,
    Selection,
    SummaryRequest,
    UsageToLog,
)
from llmring_core.usage.errors import DuplicateUsage, TotalsOverflow
from llmring_core.usage.log_batch import LogBatch
from llmring_core.usage.model import (
    MAX_COUNT,
    MAX_TOTAL,
    AttemptStatus,
    Cell,
    CostStatus,
    JsonObject,
    Logged,
    RateLine,
    Sums,
    Tokens,
    Totals,
    UsageRecord,
    UsageSource,
)
from llmring_core.usage.periods import (
    QUARTERS_A_DAY,
    Day,
    Period,
    days_of,
    period_of,
    quarter_of,
    start_of,
    whole_days,
    whole_quarters,
    zone_named,
)
from llmring_core.usage.ports import Entry, Position, UsageIntake, UsageLedger, UsageWork
from llmring_core.usage.pricing import cost_usd, rate_lines
from llmring_core.usage.recording import recorded
from llmring_core.usage.reprice_usage import RepricedPage, RepriceUsage
from llmring_core.usage.repricing import Repricing, cost_with
from llmring_core.usage.use_cases import ExportUsage, ListUsage, LogUsage, SummariseUsage

__all__ = [
    "DEFAULT_PROFILE",
    "MAX_COUNT",
    "MAX_TOTAL",
    "QUARTERS_A_DAY",
    "AttemptStatus",
    "Batch",
    "BatchResult",
    "Cell",
    "CostStatus",
    "Day",
    "DaySums",
    "DuplicateUsage",
    "Entry",
    "ExportUsage",
    "JsonObject",
    "Line",
    "ListUsage",
    "LogBatch",
    "LogUsage",
    "Logged",
    "Period",
    "Position",
    "RateLine",
    "Refusal",
    "RepriceUsage",
    "RepricedPage",
    "Repricing",
    "Selection",
    "SummariseUsage",
    "Summary",
    "SummaryRequest",
    "Sums",
    "Taken",
    "Tokens",
    "Totals",
    "TotalsOverflow",
    "UsageIntake",
    "UsageLedger",
    "UsageRecord",
    "UsageSource",
    "UsageToLog",
    "UsageWork",
    "add",
    "cost_usd",
    "cost_with",
    "days_of",
    "named_by_content",
    "period_of",
    "quarter_of",
    "rate_lines",
    "recorded",
    "start_of",
    "summarise",
    "sums_of",
    "totals_of",
    "whole_days",
    "whole_quarters",
    "zone_named",
]
