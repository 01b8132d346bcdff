"""Calls through the gateway have one receipt each, whoever asks for it, on every backend."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from msgspec import json

from llmring_adapters.transactions.all_work import AllWork
from llmring_core.canonical import NotCanonical
from llmring_core.ids import ProjectId
from llmring_core.receipts import (
    AuditReceipts,
    CannotSign,
    CloseKey,
    Evidence,
    IssueStatement,
    ListReceipts,
    ListUncertified,
    LogsToCertify,
    Named,
    NoLogsFound,
    ReadStated,
    StoredReceipt,
    checked,
)
from llmring_core.transactions import Begin
from llmring_core.transparency import ContinueLog
from llmring_core.usage import Tokens
from tests.builders.certification import (
    EVERY,
    certified_by,
    certifying,
    certifying_calls,
    forwarded,
    logged,
)
from tests.builders.kernel import NOON, P1, P2, FakeClock, ids
from tests.builders.receipts import KEY, SIGNER, issuing, secrets
from tests.builders.transparency import SIGNER as LOG_SIGNER
from tests.builders.usage import usage_record

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
async def _key(begin: Begin[AllWork]) -> None:
    async with begin() as work:
        await work.keys.put(KEY)


async def receipts(begin: Begin[AllWork], project: ProjectId = P1) -> list[StoredReceipt]:
    """Return the numbered ones, by number."""
    found, _ = await ListReceipts(begin)(project, 1000, 0)
    return sorted([one for one in found if one.seq is not None], key=lambda one: one.seq or 0)


async def uncertified(begin: Begin[AllWork], project: ProjectId = P1) -> int:
    return (await ListUncertified(begin)(project, 0, 0))[1]


class TestOneReceipt:
    async def test_it_names_its_call_and_is_linked_to_it(self, begin: Begin[AllWork]) -> None:
        record = forwarded()
        await logged(begin, record)
        assert await certifying_calls(begin)([record]) == []
        (stored,) = await receipts(begin)
        receipt = json.decode(stored.document)
        assert (receipt["usage_id"], receipt["seq"], receipt["v"]) == (record.id, 1, 2)
        assert (receipt["cost"]["amount"], receipt["usage"]["source"]) == (
            "123456.000000000001",
            "provider",
        )
        assert await certified_by(begin, stored) == [record.id]
        assert await uncertified(begin) == 0
        with pytest.raises(NoLogsFound):
            await certifying(begin)(P1, EVERY)

    async def test_it_is_logged_and_in_its_days_statement(self, begin: Begin[AllWork]) -> None:
        record, clock = forwarded(), FakeClock()
        await logged(begin, record)
        await certifying_calls(begin)([record])
        await issuing(begin)(P1)
        await ContinueLog(begin, begin, LOG_SIGNER)()
        assert [page async for page in AuditReceipts(begin)()] == [(2, [])]
        clock.pass_by(DAY)
        state = IssueStatement(begin, SIGNER, clock, ids(1), secrets())
        stated, _ = await state(P1, f"{NOON:%Y-%m-%d}")
        pages = [page async for page in ReadStated(begin)(P1, stated.id)]
        lines = [one.document.encode() for page in pages for one in page]
        document = stated.document.encode()
        report = checked(Evidence(document=document, keys=[KEY], receipts=lines))
        assert (report.valid, len(lines)) == (True, 2)

    async def test_a_call_that_has_one_keeps_it_and_its_neighbours_get_theirs(
        self, begin: Begin[AllWork]
    ) -> None:
        records = [forwarded() for _ in range(5)]
        made = await logged(begin, *records)
        wanted = LogsToCertify(selector=Named(log_ids=(made[1], made[3])))
        earlier = (await certifying(begin)(P1, wanted)).value.receipt
        certify = certifying_calls(begin)
        for _ in range(2):
            assert await certify(records) == []
        assert await certified_by(begin, earlier) == [made[1], made[3]]
        issued = await receipts(begin)
        assert [one.seq for one in issued] == [1, 2, 3]
        assert [await certified_by(begin, one) for one in issued] == [[made[n]] for n in (0, 2, 4)]

    async def test_a_group_may_be_of_several_projects(self, begin: Begin[AllWork]) -> None:
        records = [forwarded(project=one) for one in (P2, P1, P2)]
        await logged(begin, *records)
        await certifying_calls(begin)(records)
        assert [len(await receipts(begin, one)) for one in (P1, P2)] == [1, 2]
        assert [await uncertified(begin, one) for one in (P1, P2)] == [0, 0]

    async def test_what_the_ledger_does_not_have_gets_none(self, begin: Begin[AllWork]) -> None:
        call = forwarded()
        correction = forwarded(kind="adjustment", tokens=Tokens(), adjusts=call.id)
        elsewhere = forwarded(project=P2)
        await logged(begin, call, correction, forwarded(project=P1, id=elsewhere.id))
        assert await certifying_calls(begin)([correction, forwarded(), elsewhere]) == []
        assert [await receipts(begin, one) for one in (P1, P2)] == [[], []]

    async def test_one_that_cannot_be_signed_takes_nothing_from_the_others(
        self, begin: Begin[AllWork]
    ) -> None:
        records = [forwarded(), forwarded(tokens=Tokens(output=2**53)), forwarded()]
        await logged(begin, *records)
        (refusal,) = await certifying_calls(begin)(records)
        assert isinstance(refusal, NotCanonical)
        assert [one.seq for one in await receipts(begin)] == [1, 2]
        assert await uncertified(begin) == 1

    async def test_without_a_key_there_is_none_and_no_number_is_lost(
        self, begin: Begin[AllWork]
    ) -> None:
        record, certify = forwarded(), certifying_calls(begin)
        await logged(begin, record)
        await CloseKey(begin, FakeClock())(KEY.id, revoke=False)
        with pytest.raises(CannotSign):
            await certify([record])
        assert (await receipts(begin), await uncertified(begin)) == ([], 1)
        async with begin() as work:
            await work.keys.put(KEY)
        assert await certify([record]) == []
        assert [one.seq for one in await receipts(begin)] == [1]


class TestAtOnce:
    async def test_several_servers_issue_one_receipt_for_each_call(
        self, begin: Begin[AllWork]
    ) -> None:
        records = [forwarded(project=one) for one in (P1, P2) for _ in range(20)]
        await logged(begin, *records)
        servers = [certifying_calls(begin, number) for number in range(4)]
        await asyncio.gather(
            *(certify(part) for certify in servers for part in (records, records[::-1]))
        )
        for project in (P1, P2):
            issued = await receipts(begin, project)
            assert [one.seq for one in issued] == list(range(1, 21))
            named = Counter(json.decode(one.body)["usage_id"] for one in issued)
            assert named == Counter(one.id for one in records if one.project == project)
            assert await uncertified(begin, project) == 0

    async def test_whoever_certifies_logs_meanwhile_takes_some_or_all(
        self, begin: Begin[AllWork]
    ) -> None:
        records = [forwarded() for _ in range(40)]
        await logged(begin, *records, usage_record())
        parts = [records[start : start + 5] for start in range(0, 40, 5)]
        certify, generate = certifying_calls(begin), [certifying(begin, n) for n in range(3)]
        outcomes = await asyncio.gather(
            *(certify(part) for part in parts[:4]),
            *(one(P1, EVERY) for one in generate),
            *(certifying_calls(begin, 1)(part) for part in parts[4:]),
            return_exceptions=True,
        )
        refusals = [one for one in outcomes if isinstance(one, Exception)]
        assert {type(one) for one in refusals} <= {NoLogsFound}
        await asyncio.gather(*map(certify, parts))
        found, _ = await ListReceipts(begin)(P1, 1000, 0)
        linked = [id for one in found for id in await certified_by(begin, one)]
        assert Counter(linked).most_common(1)[0][1] == 1
        assert set(linked) >= {one.id for one in records}
        assert [one.seq for one in await receipts(begin)] == list(
            range(1, len(await receipts(begin)) + 1)
        )
