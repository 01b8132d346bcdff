"""Usage records, calls to log and questions about them."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from msgspec.structs import replace

from llmring_core.ids import UsageId
from llmring_core.usage import (
    Cell,
    Period,
    RateLine,
    Selection,
    Sums,
    Tokens,
    UsageRecord,
    UsageToLog,
    add,
)
from tests.builders.kernel import NOON, P1

Key = TypeVar("Key")

DAY = timedelta(days=1)
AROUND = Period(start=NOON - 365 * DAY, end=NOON + 365 * DAY)  # around every record built here
EVERYTHING = Selection(period=AROUND)

TOKENS = Tokens(
    input_uncached=100,
    input_cache_read=40,
    input_cache_write_5m=7,
    input_cache_write_1h=3,
    output=50,
    output_reasoning=11,
)
CALL = UsageToLog(provider="openai", model="gpt-4o-mini", tokens=TOKENS)
RECORD = UsageRecord(
    id=UsageId("01970000-0000-7000-8000-000000000000"),
    project=P1,
    at=NOON,
    kind="call",
    attempt_status="complete",
    provider="öpénai",
    model="gpt-4o-mini №7 \U0001f600",
    alias="schnell & günstig",
    profile="Ω",
    origin="チャット",
    id_at_origin="Gespräch",
    tokens=TOKENS,
    usage_source="client",
    cost_usd=Decimal("123456.000000000001"),
    cost_status="client",
    registry_cost_usd=Decimal("0.000000000001"),
    registry_version="2026.11.20.2",
    registry_digest="5f" * 32,
    rates=(
        RateLine(unit="output", quantity=1, rate="0.000001", per=1_000_000, amount="1e-12"),
        RateLine(unit="input_uncached", quantity=2**53 - 1, rate="0", per=1_000_000, amount="0"),
    ),
    latency_ms=2**53 - 1,
    metadata={"ключ": [1, 2.5, None, True, {"big": 2**63, "quote": '"\\', "line": "\u2028"}]},
    client_log_id="Zeile 7/ß",
    request_id="req.1-2_3",
    adjusts=None,
)

_numbers = count(1)


def usage_record(**changes: Any) -> UsageRecord:
    """Return a record with an id of its own."""
    id = UsageId(f"01970000-0000-7000-8000-{next(_numbers):012x}")
    return replace(RECORD, **({"id": id} | changes))


def call(**changes: Any) -> UsageToLog:
    return replace(CALL, **changes)


def selection(start: datetime, end: datetime, **filters: str | None) -> Selection:
    return Selection(period=Period(start=start, end=end), **filters)


def cell(**changes: Any) -> Cell:
    """Return the totals of a day; changes of its sums are named among the others."""
    sums = {name: changes.pop(name) for name in Sums.__struct_fields__ if name in changes}
    plain = Cell(day=NOON.date(), model="m", alias=None, origin=None, sums=Sums(requests=1))
    return replace(plain, **changes, sums=replace(plain.sums, **sums))


def added_up(cells: Sequence[Cell], key: Callable[[Cell], Key]) -> dict[Key, Sums]:
    """Return the sums of ``cells`` by ``key``."""
    groups: dict[Key, list[Sums]] = {}
    for one in cells:
        groups.setdefault(key(one), []).append(one.sums)
    return {name: add(parts) for name, parts in groups.items()}
