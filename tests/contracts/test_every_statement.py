"""Every statement of every write fails once, in every way: nothing is half there, a repeat is once.

The fault is injected into the driver's calls, of a real database: before a statement, after it, or
at the commit.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Connection, Table, event, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from llmring_adapters.group_commit import GroupCommit
from llmring_adapters.schema import metadata
from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.usage.postgres import PostgresWriter
from llmring_core.accounts import CreateApiKey, RevokeApiKey, RotateApiKey
from llmring_core.errors import Unavailable
from llmring_core.transactions import Begin
from llmring_core.usage import LogUsage
from tests.builders.certification import EVERY, certifying, certifying_calls, forwarded, logged
from tests.builders.kernel import P1, ids
from tests.builders.receipts import KEY
from tests.builders.registry import prices, quote
from tests.builders.usage import call, usage_record
from tests.contracts.conftest import SCHEMA
from tests.contracts.test_bulk import Ledger, several

WAYS = ("before", "after")
MOST = 60  # statements, and commits, that any of these writes needs

Write = Callable[[], Awaitable[object]]
Rows = dict[str, list[tuple[object, ...]]]


class Broken(ConnectionError):
    """What a driver says when the database goes away in the middle."""


class Faults:
    """Breaks the ``at``-th call to the driver, once."""

    def __init__(self) -> None:
        self.arm(0, "")

    def arm(self, at: int, way: str) -> None:
        self.at, self.way, self.seen, self.broke = at, way, 0, False

    @property
    def reached(self) -> bool:
        return self.seen >= self.at

    def before(self) -> None:
        self.seen += 1
        self._break("before")

    def after(self) -> None:
        self._break("after")

    def _break(self, way: str) -> None:
        if (self.seen, self.way) == (self.at, way):
            self.broke = True
            raise Broken


@pytest.fixture(params=["sqlite", "postgres", "postgres in one statement"])
def way_in(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def backend(way_in: str) -> str:
    return way_in.split()[0]


@pytest.fixture
def faults(engine: AsyncEngine) -> Faults:
    found = Faults()

    def outage(work: Callable[[], None]) -> None:
        try:
            work()
        except Broken as error:
            raise OperationalError("injected", None, error) from error

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def before(*_: Any) -> None:
        outage(found.before)

    @event.listens_for(engine.sync_engine, "after_cursor_execute")
    def after(*_: Any) -> None:
        outage(found.after)

    @event.listens_for(engine.sync_engine, "commit")
    def commit(_: Connection) -> None:
        outage(found.before)

    return found


@pytest.fixture
async def ledger(
    begin: Begin[AllWork], faults: Faults, way_in: str, request: pytest.FixtureRequest
) -> AsyncIterator[Ledger]:
    ledger = Ledger(begin)
    if "statement" not in way_in:
        yield ledger
        return

    class Breaking(asyncpg.Connection):
        async def execute(self, *args: Any, **kwargs: Any) -> Any:
            faults.before()
            done = await super().execute(*args, **kwargs)
            faults.after()
            return done

        async def fetch(self, *args: Any, **kwargs: Any) -> Any:
            faults.before()
            done = await super().fetch(*args, **kwargs)
            faults.after()
            return done

    url = request.getfixturevalue("migrated_postgres").replace("+asyncpg", "")
    settings = {"search_path": SCHEMA}

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(url, connection_class=Breaking, server_settings=settings)

    writer = PostgresWriter(connect)
    ledger.write = writer
    yield ledger
    await writer.close()


async def rows_of(engine: AsyncEngine) -> Rows:
    async with engine.connect() as connection:
        return {table.name: await _rows(connection, table) for table in metadata.sorted_tables}


async def _rows(connection: Any, table: Table) -> list[tuple[object, ...]]:
    return sorted(map(tuple, await connection.execute(select(table))), key=repr)


async def broken(faults: Faults, write: Write) -> bool:
    """Write with a fault, which must be heard as an outage; tell whether it had its call."""
    with suppress(Unavailable):
        await write()
    reached = faults.reached
    faults.at = 0
    return reached


class TestOneTransaction:
    """What one transaction writes is there whole or not at all."""

    async def test_a_call(self, ledger: Ledger, faults: Faults, engine: AsyncEngine) -> None:
        log = LogUsage(ledger.begin, GroupCommit(ledger.write), ledger.prices, ledger.clock, ids())
        for way in WAYS:
            for k in range(1, MOST):
                key = f"{way}-{k}"
                before = await rows_of(engine)
                faults.arm(k, way)
                reached = await broken(faults, partial(log, P1, call(client_log_id=key), key))
                after = await rows_of(engine)
                grew = len(after["usage_records"]) - len(before["usage_records"])
                assert grew in (0, 1)
                assert (after == before) == (grew == 0)
                outcome = await log(P1, call(client_log_id=key), key)
                assert outcome.replayed == (grew == 1)
                assert (
                    len((await rows_of(engine))["usage_records"])
                    == len(before["usage_records"]) + 1
                )
                await ledger.check()
                if not reached:
                    break
            else:
                pytest.fail("there is no end to its statements")

    @pytest.mark.parametrize("what", ["create", "rotate", "revoke"])
    async def test_a_key(
        self, ledger: Ledger, faults: Faults, engine: AsyncEngine, what: str
    ) -> None:
        new_id, secrets = ids(), iter(range(10_000))

        def secret() -> bytes:
            return next(secrets).to_bytes(32, "big")

        create = CreateApiKey(ledger.begin, ledger.clock, new_id, secret)
        rotate = RotateApiKey(ledger.begin, ledger.clock, new_id, secret)
        revoke = RevokeApiKey(ledger.begin, ledger.clock)
        for way in WAYS:
            for k in range(1, MOST):
                issued = await create(f"{way}-{k}")
                writes: dict[str, Write] = {
                    "create": partial(create, f"another-{way}-{k}"),
                    "rotate": partial(rotate, issued.key.id),
                    "revoke": partial(revoke, issued.key.id),
                }
                before = await rows_of(engine)
                faults.arm(k, way)
                reached = await broken(faults, writes[what])
                changed = await rows_of(engine) != before
                assert changed != faults.broke
                if not reached:
                    break
            else:
                pytest.fail("there is no end to its statements")

    async def test_a_receipt_for_logs(
        self, begin: Begin[AllWork], faults: Faults, engine: AsyncEngine
    ) -> None:
        async with begin() as work:
            await work.keys.put(KEY)
        certify = certifying(begin)
        for way in WAYS:
            for k in range(1, MOST):
                await logged(begin, usage_record())
                before = await rows_of(engine)
                faults.arm(k, way)
                reached = await broken(faults, partial(certify, P1, EVERY, f"{way}-{k}"))
                changed = await rows_of(engine) != before
                assert changed != faults.broke
                outcome = await certify(P1, EVERY, f"{way}-{k}")
                assert (outcome.replayed, outcome.value.count) == (changed, 1)
                if not reached:
                    break
            else:
                pytest.fail("there is no end to its statements")

    async def test_a_receipt_for_a_call_through_the_gateway(
        self, begin: Begin[AllWork], faults: Faults, engine: AsyncEngine
    ) -> None:
        async with begin() as work:
            await work.keys.put(KEY)
        certify, issued = certifying_calls(begin), 0
        for way in WAYS:
            for k in range(1, MOST):
                record = forwarded()
                await logged(begin, record)
                before = await rows_of(engine)
                faults.arm(k, way)
                reached = await broken(faults, partial(certify, [record]))
                assert (await rows_of(engine) != before) != faults.broke
                assert await certify([record]) == []
                issued += 1
                after = await rows_of(engine)
                assert len(after["receipts"]) == len(after["receipt_logs"]) == issued
                if not reached:
                    break
            else:
                pytest.fail("there is no end to its statements")


class TestSeveralTransactions:
    """What several transactions write adds up at every moment, and is there once in the end."""

    async def test_a_batch(self, ledger: Ledger, faults: Faults) -> None:
        stored = 0
        for way in WAYS:
            for k in range(1, MOST):
                key = f"{way}-{k}"
                faults.arm(k, way)
                reached = await broken(faults, partial(ledger.log, P1, several(3), key))
                assert (await ledger.check()).requests in range(stored, stored + 4)
                await ledger.log(P1, several(3), key)
                stored += 3
                assert (await ledger.check()).requests == stored
                if not reached:
                    break
            else:
                pytest.fail("there is no end to its statements")

    async def test_repricing(self, ledger: Ledger, faults: Faults) -> None:
        await ledger.log(P1, several(3), "key")
        for way in WAYS:
            for k in range(1, MOST):
                price = Decimal(k if way == "before" else k + MOST)
                new = quote(prices=prices(input=price), registry_digest=f"{int(price):064d}")
                ledger.prices.quotes["openai:gpt-4o-mini"] = new
                faults.arm(k, way)
                reached = await broken(faults, ledger.repriced)
                await ledger.check()
                await ledger.repriced()
                assert await ledger.repriced() == 0
                await ledger.check()
                if not reached:
                    break
            else:
                pytest.fail("there is no end to its statements")
