"""One SQL connection, one transaction, every SQL store."""

from asyncio import Lock
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from time import monotonic

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from llmring_adapters.accounts.sql import SqlAccountBook
from llmring_adapters.database import BROKEN, PASSING, READ_ONLY, Outages, limited
from llmring_adapters.gateway.audit_sql import SqlAuditBook
from llmring_adapters.gateway.budgets import SqlBudgetBook
from llmring_adapters.gateway.sql import SqlGatewayBook, SqlTokenBook
from llmring_adapters.gateway.sql_journal import SqlAttemptBook
from llmring_adapters.idempotency.sql import SqlAnswerBook
from llmring_adapters.receipts.certified_sql import SqlCertifications
from llmring_adapters.receipts.sql import SqlKeyBook, SqlReceiptBook
from llmring_adapters.receipts.statements import SqlStatementBook
from llmring_adapters.registry.sql import SqlSnapshotBook
from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.transparency.sql import SqlLog
from llmring_adapters.usage.sql import SqlUsageLedger
from llmring_core.errors import StoreUnavailable
from llmring_core.transactions import Begin

ANSWER_S = 4.0  # for a whole transaction on PostgreSQL
AT_ONCE = {"isolation_level": "AUTOCOMMIT"}


class SqlWork:
    def __init__(self, connection: AsyncConnection) -> None:
        self.accounts = SqlAccountBook(connection)
        self.answers = SqlAnswerBook(connection)
        self.attempts = SqlAttemptBook(connection)
        self.audit = SqlAuditBook(connection)
        self.budgets = SqlBudgetBook(connection)
        self.certifications = SqlCertifications(connection)
        self.gateway = SqlGatewayBook(connection)
        self.keys = SqlKeyBook(connection)
        self.log = self.sequence = SqlLog(connection)
        self.receipts = SqlReceiptBook(connection)
        self.snapshots = SqlSnapshotBook(connection)
        self.statements = SqlStatementBook(connection)
        self.tokens = SqlTokenBook(connection)
        self.usage = SqlUsageLedger(connection)


def sql_transactions(engine: AsyncEngine, outages: Outages | None = None) -> Begin[AllWork]:
    """Return transactions that may write; ``outages`` counts those that the database refused.

    SQLite has one writer: those of this process queue here, in order. Other processes are waited
    for by its busy time-out, which is neither fair nor quick.
    """
    counted = outages or Outages()
    turn = _Turn() if engine.dialect.name == "sqlite" else nullcontext()

    @asynccontextmanager
    async def begin() -> AsyncIterator[AllWork]:
        async with turn, _transaction(engine, counted) as work:
            yield work

    return begin


def sql_reads(engine: AsyncEngine, outages: Outages | None = None) -> Begin[AllWork]:
    """Return transactions that only read, and so wait for no writer.

    In PostgreSQL each of their statements sees what is committed by then, as it would between BEGIN
    and COMMIT; so these are not sent, which saves two of the round trips.
    """
    counted = outages or Outages()
    options = {READ_ONLY: True} if engine.dialect.name == "sqlite" else AT_ONCE
    reading = engine.execution_options(**options)

    return lambda: _transaction(reading, counted)


class _Turn(AbstractAsyncContextManager[None]):
    """A lock, held by one after the other in order.

    When the database turns one away, those who waited meanwhile are turned away with it: each would
    wait out the busy time-out to hear the same.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._turned_away_at = 0.0

    async def __aenter__(self) -> None:
        asked_at = monotonic()
        await self._lock.acquire()
        if asked_at < self._turned_away_at:
            self._lock.release()
            raise StoreUnavailable("the database is not ready; try again shortly")

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is StoreUnavailable:
            self._turned_away_at = monotonic()
        self._lock.release()


@asynccontextmanager
async def _transaction(engine: AsyncEngine, outages: Outages) -> AsyncIterator[AllWork]:
    """Lend a transaction that commits, or rolls back on error. Raises StoreUnavailable."""
    with _outages_reported(outages):
        async with engine.connect() as connection:
            with limited(connection, ANSWER_S):
                async with connection.begin():
                    yield SqlWork(connection)


@contextmanager
def _outages_reported(outages: Outages) -> Iterator[None]:
    """Turn what a database says when it is away, busy or full into StoreUnavailable."""
    try:
        yield
    except (PoolTimeout, *BROKEN) as error:
        outages.count += 1
        raise StoreUnavailable("the database does not answer; try again shortly") from error
    except DBAPIError as error:
        if _passes(error):
            outages.count += 1
            raise StoreUnavailable("the database is not ready; try again shortly") from error
        raise


def _passes(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(state, str):
        return state.startswith(PASSING)
    return error.connection_invalidated or isinstance(error, OperationalError)
