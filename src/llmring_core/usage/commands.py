"""What a caller may ask of the usage context. Building one checks it, whoever builds it."""

import re
from datetime import tzinfo
from decimal import Decimal

from msgspec import Struct, json
from msgspec.structs import astuple

from llmring_core.errors import InvalidField
from llmring_core.money import MAX_RECORD_USD, QUANTUM
from llmring_core.text import check_name, check_text
from llmring_core.usage.model import MAX_COUNT, JsonObject, Tokens
from llmring_core.usage.periods import Period

MAX_TEXT = 255  # characters
MAX_METADATA = 16 * 1024  # bytes of JSON
DEFAULT_PROFILE = "default"

_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class UsageToLog(Struct, frozen=True, kw_only=True):
    """A call that happened. Without ``cost_usd`` the registry's price applies.

    Raises: InvalidField, when built with a member that breaks its rule.
    """

    provider: str
    model: str
    tokens: Tokens
    cost_usd: Decimal | None = None
    alias: str | None = None
    profile: str | None = None
    origin: str | None = None
    id_at_origin: str | None = None
    latency_ms: int | None = None
    metadata: JsonObject = {}
    client_log_id: str | None = None  # names this record: logging it again changes nothing

    def __post_init__(self) -> None:
        check_name("provider", self.provider, MAX_TEXT)
        check_name("model", self.model, MAX_TEXT)
        check_text("alias", self.alias, MAX_TEXT)
        check_text("profile", self.profile, MAX_TEXT)
        check_text("origin", self.origin, MAX_TEXT)
        check_text("id_at_origin", self.id_at_origin, MAX_TEXT)
        if self.client_log_id is not None:
            check_name("client_log_id", self.client_log_id, MAX_TEXT)
        counts = astuple(self.tokens)
        if min(counts) < 0 or max(counts) > MAX_COUNT:
            for name, count in zip(self.tokens.__struct_fields__, counts, strict=True):
                check_count(name, count)
        if self.latency_ms is not None:
            check_count("latency_ms", self.latency_ms)
        if self.cost_usd is not None:
            _check_cost(self.cost_usd)
        if self.metadata:
            _check_metadata(self.metadata)


class Selection(Struct, frozen=True, kw_only=True):
    """Which of a project's calls are meant; None does not restrict."""

    period: Period
    model: str | None = None
    alias: str | None = None
    origin: str | None = None

    def __post_init__(self) -> None:
        for name in ("model", "alias", "origin"):
            check_text(name, getattr(self, name), MAX_TEXT)


class SummaryRequest(Struct, frozen=True, kw_only=True):
    """A question for totals."""

    selection: Selection
    zone: tzinfo  # whose days are meant
    group_by: str  # day, week or month


def check_count(field: str, count: int) -> None:
    """Raises InvalidField when ``count`` is negative or no exact JSON integer."""
    if not 0 <= count <= MAX_COUNT:
        raise InvalidField(field, f"must be between 0 and {MAX_COUNT}")


def _check_cost(cost: Decimal) -> None:
    if not cost.is_finite() or not 0 <= cost <= MAX_RECORD_USD:
        raise InvalidField("cost", f"must be between 0 and {MAX_RECORD_USD} US dollars")
    if cost % QUANTUM:
        raise InvalidField("cost", "must have at most 12 decimals")


def _check_metadata(metadata: JsonObject) -> None:
    try:
        encoded = json.encode(metadata)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidField("metadata", "must be a JSON object") from error
    if len(encoded) > MAX_METADATA:
        raise InvalidField("metadata", f"must have at most {MAX_METADATA} bytes as JSON")
    if _ESCAPED_NUL.search(encoded):
        raise InvalidField("metadata", "must not contain the NUL character")
