"""SQL schema shared by every store: metadata and portable column types."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, MetaData, String
from sqlalchemy.types import TypeDecorator, TypeEngine

from llmring_core.money import DECIMALS, EXACT

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def picos_of(amount: Decimal) -> int:
    """Return US dollars as a whole number of 10⁻¹² dollars."""
    scaled = amount.scaleb(DECIMALS, EXACT)
    if scaled != scaled.to_integral_value():
        raise ValueError("an amount finer than 10⁻¹² US dollars")
    return int(scaled)


def usd_of(picos: int) -> Decimal:
    """Return a whole number of 10⁻¹² dollars as US dollars."""
    return Decimal(picos).scaleb(-DECIMALS, EXACT)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC instants: timestamptz on PostgreSQL, integer microseconds on SQLite.

    SQLite has no instant type; text loses the zone, integers sort and compare as they should.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | int | None:
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError("naive datetime")
        return (value - EPOCH) // MICROSECOND if dialect.name == "sqlite" else value

    def process_result_value(
        self, value: datetime | int | None, dialect: Dialect
    ) -> datetime | None:
        if isinstance(value, int):
            return EPOCH + value * MICROSECOND
        return value if value is None else value.astimezone(UTC)


class Usd(TypeDecorator[Decimal]):
    """Exact US dollars of one record, stored as integer 10⁻¹² dollars on every backend."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        return picos_of(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else usd_of(value)


BigId = BigInteger().with_variant(Integer, "sqlite")  # an autoincrementing key on both


class Names(TypeDecorator[tuple[str, ...]]):
    """Names without blanks, in their order, as one text."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str | None:
        del dialect  # the same everywhere
        return None if value is None else " ".join(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...] | None:
        del dialect
        return None if value is None else tuple(value.split())
