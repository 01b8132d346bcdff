"""Receipts are numbered without a gap and issued once, whoever asks at the same time."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from llmring_adapters.group_commit import GroupCommit
from llmring_adapters.transactions.all_work import AllWork
from llmring_core.canonical import NotCanonical
from llmring_core.idempotency import KeyReused
from llmring_core.receipts import (
    Issuance,
    IssueReceipt,
    IssueTogether,
    ListReceipts,
    ReceiptToIssue,
    StoredReceipt,
)
from llmring_core.transactions import Begin
from llmring_core.transparency import ContinueLog, ReadCheckpoint
from llmring_core.usage import Tokens
from tests.builders.kernel import NOON, P1, P2, FakeClock, ids
from tests.builders.receipts import KEY, SIGNER, WANTED, issue_receipt, issuing, secrets
from tests.builders.transparency import SIGNER as LOG_SIGNER
from tests.builders.usage import usage_record

SERVERS = 4
EACH = 50


@pytest.fixture(autouse=True)
async def _key(begin: Begin[AllWork]) -> None:
    async with begin() as work:
        await work.keys.put(KEY)


@pytest.fixture
def issue(begin: Begin[AllWork]) -> IssueReceipt:
    return issue_receipt(begin)


def issuance(**changes: object) -> Issuance:
    return Issuance(record=usage_record(**changes), lock_digest=None, attempts=(), in_ledger=False)


async def issued(begin: Begin[AllWork]) -> list[StoredReceipt]:
    found, _ = await ListReceipts(begin)(P1, 1000, 0)
    return sorted(found, key=lambda one: one.seq or 0)


async def test_several_servers_at_once_leave_no_gap(begin: Begin[AllWork]) -> None:
    servers = [issuing(begin, server=number) for number in range(SERVERS)]
    await asyncio.gather(*(issue(P1) for issue in servers for _ in range(EACH)))
    found = await issued(begin)
    assert [one.seq for one in found] == list(range(1, SERVERS * EACH + 1))
    assert await ContinueLog(begin, begin, LOG_SIGNER)() == SERVERS * EACH
    assert (await ReadCheckpoint(begin)()).size == SERVERS * EACH


async def test_a_group_may_be_of_several_projects(begin: Begin[AllWork]) -> None:
    together = IssueTogether(begin, SIGNER, FakeClock(), ids(), secrets())
    stored = await together([issuance(project=one) for one in (P2, P1, P2)])
    assert [one.seq for one in stored] == [1, 1, 2]
    assert [P1 in one.body for one in stored] == [False, True, False]


async def test_a_slow_clock_does_not_take_time_back(begin: Begin[AllWork]) -> None:
    fast, slow = FakeClock(), FakeClock(NOON - timedelta(seconds=5))
    first = await issuing(begin, clock=fast)(P1)
    second = await issuing(begin, clock=slow, server=1)(P1)
    fast.pass_by(timedelta(seconds=1))
    third = await issuing(begin, clock=fast, server=2)(P1)
    assert [first.stored_at, second.stored_at] == [NOON, NOON]
    assert third.stored_at == NOON + timedelta(seconds=1)
    assert '"issued_at":"2026-11-20T12:00:00.123456Z"' in second.body


async def test_the_same_request_gets_the_same_receipt(
    begin: Begin[AllWork], issue: IssueReceipt
) -> None:
    outcomes = await asyncio.gather(*(issue(P1, WANTED, "key") for _ in range(20)))
    assert sum(not outcome.replayed for outcome in outcomes) == 1
    assert len({outcome.value.document for outcome in outcomes}) == 1
    assert len(await issued(begin)) == 1
    assert not (await issue(P2, WANTED, "key")).replayed


async def test_a_call_that_names_itself_has_one_receipt(
    begin: Begin[AllWork], issue: IssueReceipt
) -> None:
    wanted = replace(WANTED, call=replace(WANTED.call, client_log_id="mine"))
    first = await issue(P1, wanted, "one key")
    again = await issue(P1, wanted, "another key")
    assert again.replayed
    assert again.value == first.value
    assert len(await issued(begin)) == 1


async def test_a_key_stands_for_one_request(issue: IssueReceipt) -> None:
    await issue(P1, WANTED, "key")
    with pytest.raises(KeyReused):
        await issue(P1, ReceiptToIssue(call=WANTED.call, lock_digest="other"), "key")


async def test_one_that_cannot_be_signed_takes_nothing_from_the_others(
    begin: Begin[AllWork],
) -> None:
    intake = GroupCommit(IssueTogether(begin, SIGNER, FakeClock(), ids(), secrets()))
    unsignable = issuance(tokens=Tokens(input_uncached=2**53))
    wanted = [issuance(), unsignable, issuance()]
    outcomes = await asyncio.gather(*map(intake.take, wanted), return_exceptions=True)
    assert [isinstance(outcome, NotCanonical) for outcome in outcomes] == [False, True, False]
    assert [one.seq for one in await issued(begin)] == [1, 2]
