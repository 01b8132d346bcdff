"""One SQL connection, one transaction, every SQL store."""

from asyncio import Lock
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from llmring_adapters.accounts.sql import SqlAccountBook
from llmring_adapters.database import PASSING, READ_ONLY
from llmring_adapters.idempotency.sql import SqlAnswerBook
from llmring_adapters.registry.sql import SqlSnapshotBook
from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.usage.sql import SqlUsageLedger
from llmring_core.errors import StoreUnavailable
from llmring_core.transactions import Begin


class SqlWork:
    def __init__(self, connection: AsyncConnection) -> None:
        self.accounts = SqlAccountBook(connection)
        self.answers = SqlAnswerBook(connection)
        self.snapshots = SqlSnapshotBook(connection)
        self.usage = SqlUsageLedger(connection)


def sql_transactions(engine: AsyncEngine) -> Begin[AllWork]:
    """Return transactions that may write.

    SQLite has one writer: those of this process queue here, in order. Other processes are waited
    for by its busy time-out, which is neither fair nor quick.
    """
    turn = Lock() if engine.dialect.name == "sqlite" else nullcontext()

    @asynccontextmanager
    async def begin() -> AsyncIterator[AllWork]:
        async with turn:
            with _outages_reported():
                async with engine.begin() as connection:  # commits, or rolls back on error
                    yield SqlWork(connection)

    return begin


def sql_reads(engine: AsyncEngine) -> Begin[AllWork]:
    """Return transactions that only read, and so wait for no writer."""
    reading = engine.execution_options(**{READ_ONLY: True})

    @asynccontextmanager
    async def begin() -> AsyncIterator[AllWork]:
        with _outages_reported():
            async with reading.begin() as connection:
                yield SqlWork(connection)

    return begin


@contextmanager
def _outages_reported() -> Iterator[None]:
    """Turn what a database says when it is away, busy or full into StoreUnavailable."""
    try:
        yield
    except (PoolTimeout, OSError) as error:
        raise StoreUnavailable("the database does not answer; try again shortly") from error
    except DBAPIError as error:
        if _passes(error):
            raise StoreUnavailable("the database is not ready; try again shortly") from error
        raise


def _passes(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(state, str):
        return state.startswith(PASSING)
    return error.connection_invalidated or isinstance(error, OperationalError)
