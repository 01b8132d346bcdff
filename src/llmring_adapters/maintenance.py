"""Long transactions over everything, without the limits that hold for requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from llmring_adapters.database import POSTGRES_LIMITS, READ_ONLY


@asynccontextmanager
async def whole_read(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Lend one view of everything committed before; others go on writing beside it."""
    async with engine.connect() as connection:
        await connection.execution_options(**{READ_ONLY: True})
        if engine.dialect.name == "postgresql":
            await connection.execution_options(isolation_level="REPEATABLE READ")
            await _lift_limits(connection)
        yield connection


@asynccontextmanager
async def whole_write(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Lend a transaction that commits when the block is left, or leaves nothing behind."""
    async with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            await _lift_limits(connection)
        yield connection


async def _lift_limits(connection: AsyncConnection) -> None:
    for name in POSTGRES_LIMITS:
        await connection.execute(text(f"SET LOCAL {name} = 0"))
