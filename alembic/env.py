"""Run migrations on the connection handed over."""

from typing import Any, Literal

from alembic import context
from sqlalchemy.types import TypeDecorator

import llmring_adapters.transactions.sql  # noqa: F401  loads every table
from llmring_adapters.schema import UtcDateTime, metadata


def plain_type(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Write migrations with plain SQL types: history must not import today's code."""
    if isinstance(item, UtcDateTime):
        return 'sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")'
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl!r}"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    render_item=plain_type,
    compare_type=True,
    transaction_per_migration=False,
)
context.run_migrations()
