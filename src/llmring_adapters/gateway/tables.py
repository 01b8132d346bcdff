"""The gateway's tables."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    false,
    text,
)

from llmring_adapters.schema import Names, Usd, UtcDateTime, metadata

gateway_projects = Table(
    "gateway_projects",
    metadata,
    Column("id", String(36), ForeignKey("projects.id"), primary_key=True),
    Column("is_active", Boolean, nullable=False),
    Column("deactivated_at", UtcDateTime),
    Column("default_provider", String(64), nullable=False),
    Column("fallbacks", Names(1024), nullable=False, server_default=text("''")),
    Column("issues_receipts", Boolean, nullable=False, server_default=false()),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
)
gateway_provider_keys = Table(
    "gateway_provider_keys",
    metadata,
    Column("project", String(36), ForeignKey("gateway_projects.id"), primary_key=True),
    Column("provider", String(64), primary_key=True),
    Column("key_id", String(32), nullable=False),  # of the encryption key
    Column("sealed", LargeBinary, nullable=False),  # never in clear
    Column("shown", String(16), nullable=False),
)
gateway_tokens = Table(
    "gateway_tokens",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(36), ForeignKey("gateway_projects.id"), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),  # SHA-256 of the token
    Column("shown", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("deactivated_at", UtcDateTime),
    Column("max_requests", BigInteger),
    Column("max_per_minute", BigInteger),
    Column("request_count", BigInteger, nullable=False),
    Column("cache_hit_count", BigInteger, nullable=False),
    Column("last_used_at", UtcDateTime),
    Column("window_began_at", UtcDateTime),  # the minute that window_count is of
    Column("window_count", BigInteger, nullable=False),
    Index("ix_gateway_tokens_project_created_at", "project", "created_at", "id"),
)
gateway_budgets = Table(
    "gateway_budgets",
    metadata,
    Column("scope", String(36), primary_key=True),  # the id of a token or a project
    Column("max_usd", Usd),
    Column("max_tokens", BigInteger),
    Column("spent_usd", Usd, nullable=False),
    Column("spent_tokens", BigInteger, nullable=False),
    Column("held_usd", Usd, nullable=False),
    Column("held_tokens", BigInteger, nullable=False),
    CheckConstraint("spent_usd >= 0 AND spent_tokens >= 0", name="spent_in_range"),
    CheckConstraint("held_usd >= 0 AND held_tokens >= 0", name="held_in_range"),
)
gateway_holds = Table(
    "gateway_holds",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(36), nullable=False),
    Column("token", String(36), nullable=False),
    Column("usd", Usd, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("lapses_at", UtcDateTime, nullable=False),
    Column("of_token", Boolean, nullable=False),  # whether it is held of the token's budget
    Column("of_project", Boolean, nullable=False),
    Column("has_lapsed", Boolean, nullable=False),  # it is held of none any more
    Index("ix_gateway_holds_lapses_at", "lapses_at"),
)
gateway_attempts = Table(
    "gateway_attempts",
    metadata,
    Column("id", String(36), primary_key=True),  # the usage record's, and the hold's
    Column("project", String(36), nullable=False),
    Column("token", String(36), nullable=False),
    Column("provider", String(255), nullable=False),
    Column("endpoint", String(255), nullable=False),
    Column("model", String(255)),
    Column("request_id", String(64), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("lapses_at", UtcDateTime, nullable=False),  # unless its server renews it
    Index("ix_gateway_attempts_lapses_at", "lapses_at", "id"),
)
gateway_audit_events = Table(
    "gateway_audit_events",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("happened_at", UtcDateTime, nullable=False),
    Column("action", String(32), nullable=False),
    Column("actor", String(32), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", String(256)),
    Column("project", String(36)),  # no foreign key: who is refused may name any
    Column("token", String(36)),  # its id
    Column("request_id", String(64)),
    Column("correlation_id", String(64)),
    Column("client_ip", String(64)),
    Column("method", String(64)),
    Column("path", String(256)),
    Column("user_agent", String(256)),
    Column("metadata", Text),  # a JSON object
    Index("ix_gateway_audit_events_happened_at", "happened_at", "id"),
    Index("ix_gateway_audit_events_project_happened_at", "project", "happened_at", "id"),
)
