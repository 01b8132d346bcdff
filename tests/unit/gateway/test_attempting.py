"""What becomes of an attempt whose end cannot be written: it is closed, and holds nothing."""

import dataclasses
from asyncio import CancelledError
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
from msgspec.structs import replace

from llmring_adapters.counting.packaged import PackagedCounter
from llmring_adapters.gateway.forwarding_memory import MemoryBreaker
from llmring_adapters.transactions.all_work import AllWork
from llmring_adapters.transactions.memory import memory_transactions
from llmring_adapters.usage.intake import DirectIntake, in_one_transaction
from llmring_core.aside import Result
from llmring_core.errors import StoreUnavailable
from llmring_core.gateway import Admission, Budget, HoldBudget, LapseHolds, Limits, SettleHold
from llmring_core.gateway.attempting import Attempts, AttemptUnderWay
from llmring_core.gateway.certifying import Certifier
from llmring_core.gateway.forwarding import Call, RecordAttempt
from llmring_core.gateway.journal import LEASE
from llmring_core.gateway.lost_attempts import CloseLostAttempts
from llmring_core.gateway.metering import meter_for
from llmring_core.transactions import Begin
from llmring_core.usage import UsageRecord
from tests.builders.forwarding import PROVIDER
from tests.builders.gateway import ADMISSION, TOKEN, journal
from tests.builders.kernel import P1, FakeClock, ids
from tests.builders.registry import PriceList
from tests.builders.usage import EVERYTHING

ENDPOINT = "/v1/chat/completions"
CALL = Call(
    method="POST", endpoint=ENDPOINT, target=ENDPOINT, provider=PROVIDER, model="gpt-4o-mini"
)
ISSUING = replace(ADMISSION, issues_receipts=True)
BODY = b'{"model":"gpt-4o-mini","max_tokens":10}'
ANSWER = b'{"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}'


async def at_once(work: Callable[[], Result]) -> Result:
    return work()


@asynccontextmanager
async def away() -> AsyncIterator[AllWork]:
    raise StoreUnavailable("away")
    yield


class Certified(Certifier):
    """Remembers who was to have a receipt."""

    def __init__(self) -> None:
        self.records: list[UsageRecord] = []

    def certify(self, record: UsageRecord) -> None:
        self.records.append(record)


class Gateway:
    """Attempts over a store of which two ways may be closed, and what is closed behind them."""

    def __init__(self, recording: Begin[AllWork] | None, settling: Begin[AllWork] | None) -> None:
        self.begin, self.clock = memory_transactions(), FakeClock()
        self.journal = journal(self.begin, self.clock)
        intake = DirectIntake(in_one_transaction(recording or self.begin))
        registry, self.certified = PriceList(), Certified()
        self.attempts = Attempts(
            breaker=MemoryBreaker(),
            registry=registry,
            hold=HoldBudget(self.begin, LapseHolds(self.begin, self.clock), self.clock),
            settle=SettleHold(settling or self.begin),
            journal=self.journal,
            meters=meter_for,
            counter=PackagedCounter(),
            aside=at_once,
            record=RecordAttempt(intake, registry, self.clock, ids(1)),
            certifier=self.certified,
            clock=self.clock,
            new_id=ids(2),
        )

    async def answered(
        self, admission: Admission = ADMISSION, answer: bytes = ANSWER
    ) -> AttemptUnderWay:
        async with self.begin() as work:
            await work.budgets.limit(TOKEN.id, Limits(max_usd=Decimal(1)))
        attempt = self.attempts.begin(CALL, BODY, admission, "req-1")
        await attempt.enter()
        await attempt.write_down()
        attempt.answered(200, "application/json")
        attempt.feed(answer)
        return attempt

    async def later(self) -> tuple[int, list[UsageRecord], Budget]:
        """Return how many calls were lost, and what the ledger and the budget say by then."""
        await self.journal.flush()
        self.clock.pass_by(LEASE / 2)
        await self.journal.renew()
        self.clock.pass_by(LEASE / 2)
        lost = await CloseLostAttempts(self.begin, self.clock)()
        async with self.begin() as work:
            budget = (await work.budgets.of([TOKEN.id]))[TOKEN.id]
            return lost, await work.usage.newest(P1, EVERYTHING, 10), budget


async def test_what_is_recorded_and_settled_leaves_nothing() -> None:
    gateway = Gateway(recording=None, settling=None)
    await (await gateway.answered()).record("complete", 1)
    lost, records, budget = await gateway.later()
    assert (lost, [one.attempt_status for one in records]) == (0, ["complete"])
    assert (budget.spent_tokens, budget.held_tokens) == (10, 0)


async def test_what_cannot_be_recorded_is_closed_as_unknown() -> None:
    gateway = Gateway(recording=away, settling=None)
    attempt = await gateway.answered()
    with pytest.raises(StoreUnavailable):
        await attempt.record("complete", 1)
    lost, records, budget = await gateway.later()
    assert (lost, [one.attempt_status for one in records]) == (1, ["unknown"])
    assert (budget.spent_tokens, budget.held_tokens) == (0, 0)


async def test_who_is_stopped_while_counting_is_recorded_all_the_same() -> None:
    gateway, stops = Gateway(recording=None, settling=None), [True]

    async def stopped_once(work: Callable[[], Result]) -> Result:
        if stops:
            stops.pop()
            raise CancelledError
        return work()

    gateway.attempts = dataclasses.replace(gateway.attempts, aside=stopped_once)
    attempt = await gateway.answered(answer=b'{"choices":[]}')
    with pytest.raises(CancelledError):
        await attempt.record("complete", 1)
    await attempt.record("client_disconnected", 1)
    lost, [record], budget = await gateway.later()
    assert (lost, record.attempt_status) == (0, "client_disconnected")
    assert (record.usage_source, budget.held_tokens) == ("estimated", 0)


async def test_what_cannot_be_settled_is_settled_by_whoever_closes_it() -> None:
    gateway = Gateway(recording=None, settling=away)
    await (await gateway.answered()).record("complete", 1)
    lost, records, budget = await gateway.later()
    assert (lost, [one.attempt_status for one in records]) == (0, ["complete"])
    assert (budget.spent_tokens, budget.held_tokens) == (10, 0)


async def test_where_nobody_was_asked_there_is_nothing_to_record() -> None:
    gateway = Gateway(recording=None, settling=None)
    await (await gateway.answered()).cancel()
    lost, records, budget = await gateway.later()
    assert (lost, records, budget.held_tokens) == (0, [], 0)


@pytest.mark.parametrize("settling", [None, away], ids=["settled", "not settled"])
async def test_what_is_recorded_gets_its_receipt_settled_or_not(
    settling: Begin[AllWork] | None,
) -> None:
    gateway = Gateway(recording=None, settling=settling)
    attempt = await gateway.answered(ISSUING)
    record = await attempt.record("complete", 1)
    assert await attempt.record("complete", 1) is None
    assert gateway.certified.records == [record]


async def test_what_is_not_wanted_not_priced_or_not_recorded_gets_none() -> None:
    gateway = Gateway(recording=None, settling=None)
    await (await gateway.answered()).record("complete", 1)
    unpriced = await gateway.answered(ISSUING)
    unpriced.answered(500, "application/json")
    await unpriced.record("upstream_error", 1)
    lost = Gateway(recording=away, settling=None)
    with pytest.raises(StoreUnavailable):
        await (await lost.answered(ISSUING)).record("complete", 1)
    assert gateway.certified.records == lost.certified.records == []
