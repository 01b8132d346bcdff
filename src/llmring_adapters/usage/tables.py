"""The ledger's tables, and how a record becomes a row and a row a record."""

from typing import Any

from msgspec import convert, json
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    Row,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

from llmring_adapters.schema import Usd, UtcDateTime, metadata
from llmring_core.usage import RateLine, Tokens, UsageRecord

TOKEN_COUNTS = Tokens.__struct_fields__

usage_records = Table(
    "usage_records",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(36), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("attempt_status", String(24), nullable=False),
    Column("provider", String(255), nullable=False),
    Column("model", String(255), nullable=False),
    Column("alias", String(255)),
    Column("profile", String(255), nullable=False),
    Column("origin", String(255)),
    Column("id_at_origin", String(255)),
    *(Column(name, BigInteger, nullable=False) for name in TOKEN_COUNTS),
    Column("usage_source", String(16), nullable=False),
    Column("cost_usd", Usd),  # null: unpriced
    Column("cost_status", String(16), nullable=False),
    Column("registry_cost_usd", Usd),
    Column("registry_version", String(32)),
    Column("registry_digest", String(64)),
    Column("rates", Text, nullable=False),  # JSON array of rate lines
    Column("latency_ms", BigInteger),
    Column("metadata", Text, nullable=False),  # JSON object
    Column("client_log_id", String(255)),
    Column("request_id", String(64)),
    Column("adjusts", String(36)),  # the id of the call that an adjustment corrects
    # A million dollars at most; only a correction may be negative. NaN cannot be an integer.
    CheckConstraint(
        "cost_usd <= 1000000000000000000 AND (cost_usd >= 0 OR kind = 'adjustment')",
        name="cost_in_range",
    ),
    Index("ix_usage_records_project_at", "project", "at", "id"),
    Index(
        "ix_usage_records_adjusts",
        "adjusts",
        sqlite_where=text("adjusts IS NOT NULL"),
        postgresql_where=text("adjusts IS NOT NULL"),
    ),
)

usage_totals = Table(
    "usage_totals",
    metadata,
    Column("project", String(36), primary_key=True),
    Column("span", SmallInteger, primary_key=True),  # quarters of an hour: 1, or 96 for a day
    Column("start", Integer, primary_key=True),  # quarters of an hour since 1970, UTC
    Column("cell", LargeBinary(16), primary_key=True),  # of model, alias and origin: see totals.py
    Column("model", String(255), nullable=False),
    Column("alias", String(255)),
    Column("origin", String(255)),
    Column("requests", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("cached_input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    # The cost is cost_micros / 10^6 + cost_picos / 10^12 dollars: one 64-bit integer of 10^-12
    # dollars would be full at 9.2 million dollars.
    Column("cost_micros", BigInteger, nullable=False),
    Column("cost_picos", BigInteger, nullable=False),
    Column("unpriced", BigInteger, nullable=False),
    # SQLite turns an integer that overflows into a float, silently; PostgreSQL refuses by itself.
    CheckConstraint("input_tokens <= 9223372036854775807", name="input_tokens_in_range"),
    CheckConstraint("output_tokens <= 9223372036854775807", name="output_tokens_in_range"),
)


COLUMNS = [str(column.name) for column in usage_records.columns]


def row_of(record: UsageRecord) -> dict[str, Any]:
    return dict(zip(COLUMNS, values_of(record), strict=True))


def values_of(record: UsageRecord) -> tuple[Any, ...]:
    """Return a row in the order of the table's columns."""
    tokens = record.tokens
    return (
        record.id,
        record.project,
        record.at,
        record.kind,
        record.attempt_status,
        record.provider,
        record.model,
        record.alias,
        record.profile,
        record.origin,
        record.id_at_origin,
        tokens.input_uncached,
        tokens.input_cache_read,
        tokens.input_cache_write_5m,
        tokens.input_cache_write_1h,
        tokens.output,
        tokens.output_reasoning,
        record.usage_source,
        record.cost_usd,
        record.cost_status,
        record.registry_cost_usd,
        record.registry_version,
        record.registry_digest,
        json.encode(record.rates).decode(),
        record.latency_ms,
        json.encode(record.metadata).decode() if record.metadata else "{}",
        record.client_log_id,
        record.request_id,
        record.adjusts,
    )


def record_of(row: Row[Any]) -> UsageRecord:
    values = dict(zip(COLUMNS, row, strict=True))
    values["tokens"] = {name: values.pop(name) for name in TOKEN_COUNTS}
    values["rates"] = json.decode(row.rates, type=tuple[RateLine, ...])
    values["metadata"] = json.decode(row.metadata)
    return convert(values, UsageRecord)
