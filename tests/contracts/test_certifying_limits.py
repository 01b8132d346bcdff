"""What receipts for calls that are logged hold at the edges: many calls, many at once."""

import asyncio

import pytest

from llmring_adapters.transactions.all_work import AllWork
from llmring_core.canonical import MAX_BYTES
from llmring_core.idempotency import KeyReused
from llmring_core.ids import UsageId
from llmring_core.receipts import (
    MAX_LOGS,
    CertifyLogs,
    FetchReceipt,
    ListCertified,
    ListReceipts,
    LogsToCertify,
    Named,
    NoLogsFound,
    PreviewReceipt,
    SinceLastReceipt,
    StoredReceipt,
    TooManyLogs,
)
from llmring_core.transactions import Begin
from llmring_core.usage import MAX_COUNT, Tokens
from tests.builders.certification import EVERY, MINUTE, certified_by, certifying, logged, several
from tests.builders.kernel import NOON, P1, P2
from tests.builders.receipts import KEY
from tests.builders.usage import usage_record


@pytest.fixture(autouse=True)
async def _keys(begin: Begin[AllWork]) -> None:
    async with begin() as work:
        await work.keys.put(KEY)


@pytest.fixture
def certify(begin: Begin[AllWork]) -> CertifyLogs:
    return certifying(begin)


class TestBounds:
    async def test_too_many_calls_are_refused_with_their_number(
        self, begin: Begin[AllWork], certify: CertifyLogs
    ) -> None:
        small = Tokens(input_uncached=1)
        records = [
            usage_record(model="m", metadata={}, rates=(), tokens=small)
            for _ in range(MAX_LOGS + 1)
        ]
        await logged(begin, *records)
        for ask in (certify(P1, EVERY), PreviewReceipt(begin)(P1, SinceLastReceipt())):
            with pytest.raises(TooManyLogs, match=f"{MAX_LOGS + 1} logs match"):
                await ask
        named = tuple(record.id for record in records[1:])
        stored = (await certify(P1, LogsToCertify(selector=Named(log_ids=named)))).value.receipt
        assert len(stored.document) < MAX_BYTES
        assert (await FetchReceipt(begin)(P1, stored.id))[1].full
        page, total = await ListCertified(begin)(P1, stored.id, 2, MAX_LOGS - 1)
        assert ([record.id for record in page], total) == ([records[-1].id], MAX_LOGS)

    async def test_what_no_receipt_can_say_is_refused(
        self, begin: Begin[AllWork], certify: CertifyLogs
    ) -> None:
        await logged(begin, usage_record(tokens=Tokens(input_uncached=MAX_COUNT, output=1)))
        with pytest.raises(TooManyLogs, match="tokens"):
            await certify(P1, EVERY)
        many = [usage_record(project=P2, model=f"{n:04}" * 60) for n in range(2000)]
        await logged(begin, *many)
        with pytest.raises(TooManyLogs, match="bytes"):
            await certify(P2, EVERY)
        assert await ListReceipts(begin)(P2, 10, 0) == ([], 0)


class TestAtOnce:
    async def test_each_call_is_certified_by_one_of_many(self, begin: Begin[AllWork]) -> None:
        made: list[UsageId] = []
        receipts: list[StoredReceipt] = []

        async def log_and_certify(number: int) -> None:
            made.extend(await logged(begin, usage_record(at=NOON + number * MINUTE)))
            try:
                outcome = await certifying(begin, number)(P1, EVERY)
            except NoLogsFound:
                return
            receipts.append(outcome.value.receipt)

        await asyncio.gather(*(log_and_certify(number) for number in range(20)))
        certified = [id for one in receipts for id in await certified_by(begin, one)]
        assert sorted(certified) == sorted(made)
        assert (await ListReceipts(begin)(P1, 100, 0))[1] == len(receipts)

    async def test_one_of_many_equal_requests_gets_the_calls(self, begin: Begin[AllWork]) -> None:
        made = await several(begin, 5)
        outcomes = await asyncio.gather(
            *(certifying(begin, number)(P1, EVERY) for number in range(20)),
            return_exceptions=True,
        )
        found = [one for one in outcomes if not isinstance(one, BaseException)]
        assert [await certified_by(begin, one.value.receipt) for one in found] == [made]
        assert sum(isinstance(one, NoLogsFound) for one in outcomes) == 19

    async def test_equal_requests_with_one_key_are_one(self, begin: Begin[AllWork]) -> None:
        await several(begin, 5)
        outcomes = await asyncio.gather(
            *(certifying(begin, number)(P1, EVERY, "key") for number in range(20))
        )
        assert sorted(one.replayed for one in outcomes) == [False] + [True] * 19
        assert len({one.value.receipt.document for one in outcomes}) == 1
        assert {one.value.count for one in outcomes} == {5}
        with pytest.raises(KeyReused):
            await certifying(begin)(P1, LogsToCertify(selector=EVERY.selector, tags=()), "key")
