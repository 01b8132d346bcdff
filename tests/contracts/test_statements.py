"""What statements promise, on every backend."""

import asyncio
from asyncio import to_thread
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256

import pytest
from msgspec import json
from msgspec.structs import replace

from llmring_adapters.transactions.all_work import AllWork
from llmring_core.errors import InvalidField
from llmring_core.receipts import (
    CannotSign,
    CloseKey,
    FetchStatement,
    IssueStatement,
    ListStatements,
    NotYetStated,
    ProveStatement,
    ReadStated,
    StatementId,
    StatementNotFound,
    StoredReceipt,
    StoreReceipt,
    VerifyReceipt,
)
from llmring_core.receipts.errors import BadReceipt
from llmring_core.transactions import Begin
from llmring_core.transparency import (
    STATEMENT,
    ContinueLog,
    check_inclusion,
    commitment_to,
    leaf_hash,
    node_hash,
)
from tests.builders.kernel import NOON, P1, P2, FakeClock, ids
from tests.builders.receipts import KEY, SIGNER, WANTED, Issue, issuing, secrets
from tests.builders.transparency import SIGNER as LOG_SIGNER

DAY = timedelta(days=1)
TODAY, TOMORROW, THIS_MONTH = "2026-11-20", "2026-11-21", "2026-11"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def issue(begin: Begin[AllWork], clock: FakeClock) -> Issue:
    return issuing(begin, clock=clock)


@pytest.fixture
def state(begin: Begin[AllWork], clock: FakeClock) -> IssueStatement:
    return IssueStatement(begin, SIGNER, clock, ids(1), secrets())


@pytest.fixture(autouse=True)
async def _key(begin: Begin[AllWork]) -> None:
    async with begin() as work:
        await work.keys.put(KEY)


async def named_by(begin: Begin[AllWork], id: StatementId) -> list[StoredReceipt]:
    return [one async for page in ReadStated(begin)(P1, id) for one in page]


def root_over(leaves: list[bytes]) -> bytes:
    """The Merkle tree hash, written down as RFC 6962 section 2.1 defines it."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(root_over(leaves[:split]), root_over(leaves[split:]))


async def test_adds_up_every_receipt_of_the_day(
    begin: Begin[AllWork], clock: FakeClock, issue: Issue, state: IssueStatement
) -> None:
    unpriced = replace(WANTED, call=replace(WANTED.call, model="unheard-of", cost_usd=None))
    receipts = [await issue(P1, one) for one in (WANTED, unpriced, WANTED)]
    await issue(P2)
    clock.pass_by(DAY)
    await issue(P1)

    stored, new = await state(P1, TODAY)
    stated = stored.content
    assert new
    assert (stated.first_seq, stated.last_seq, stated.count) == (1, 3, 3)
    amounts = [json.decode(one.body)["cost"]["amount"] for one in receipts]
    assert Decimal(stated.amount) == sum(Decimal(amount or 0) for amount in amounts)
    assert stated.unpriced == amounts.count(None)
    assert sum(total.count for total in stated.by_model) == 3
    assert stated.root == root_over([one.document.encode() for one in receipts]).hex()
    assert await named_by(begin, stored.id) == receipts


async def test_is_signed_and_logged(
    begin: Begin[AllWork], clock: FakeClock, issue: Issue, state: IssueStatement
) -> None:
    await issue(P1)
    clock.pass_by(DAY)
    stored, _ = await state(P1, TODAY)
    found, verdict = await FetchStatement(begin)(P1, stored.id)
    assert (found, verdict.valid, verdict.key_id) == (stored, True, KEY.id)
    changed = stored.document.replace('"amount":"', '"amount":"1')
    verdicts = [
        await VerifyReceipt(begin, to_thread)(text.encode()) for text in (stored.document, changed)
    ]
    assert [verdict.valid for _, verdict in verdicts] == [True, False]
    assert await ContinueLog(begin, begin, LOG_SIGNER)() == 2
    proof = await ProveStatement(begin)(P1, stored.id)
    check_inclusion(proof, commitment_to(STATEMENT, proof.salt, stored.document.encode()))


async def test_statements_name_the_one_before(
    clock: FakeClock, issue: Issue, state: IssueStatement
) -> None:
    stored = []
    for name in (TODAY, TOMORROW):
        await issue(P1)
        clock.pass_by(DAY)
        stored.append((await state(P1, name))[0])
    first, second = stored
    assert first.content.previous is None
    previous = second.content.previous
    assert previous is not None
    assert previous.digest == sha256(first.document.encode()).hexdigest()
    assert second.content.first_seq == first.content.last_seq + 1


async def test_a_day_without_receipts_has_a_statement_too(
    begin: Begin[AllWork], clock: FakeClock, issue: Issue, state: IssueStatement
) -> None:
    await issue(P1)
    clock.pass_by(2 * DAY)
    await state(P1, TODAY)
    stored, _ = await state(P1, TOMORROW)
    stated = stored.content
    assert (stated.first_seq, stated.last_seq, stated.count, stated.amount) == (2, 1, 0, "0")
    assert await named_by(begin, stored.id) == []


async def test_months_are_stated_besides_days(
    clock: FakeClock, issue: Issue, state: IssueStatement
) -> None:
    for _ in range(2):
        await issue(P1)
        clock.pass_by(DAY)
    await state(P1, TODAY)
    with pytest.raises(NotYetStated):
        await state(P1, THIS_MONTH)
    clock.pass_by(10 * DAY)
    stored, _ = await state(P1, THIS_MONTH)
    assert stored.content.count == 2
    assert stored.content.previous is None


async def test_a_period_is_stated_once(
    begin: Begin[AllWork], clock: FakeClock, issue: Issue, state: IssueStatement
) -> None:
    await issue(P1)
    clock.pass_by(DAY)
    outcomes = await asyncio.gather(*(state(P1, TODAY) for _ in range(10)))
    assert [new for _, new in outcomes].count(True) == 1
    assert len({stored.document for stored, _ in outcomes}) == 1
    found, total = await ListStatements(begin)(P1, 10, 0)
    assert (found, total) == ([outcomes[0][0]], 1)


async def test_periods_are_stated_in_their_order(
    clock: FakeClock, issue: Issue, state: IssueStatement
) -> None:
    await issue(P1)
    with pytest.raises(NotYetStated, match="over at 2026-11-21"):
        await state(P1, TODAY)
    clock.pass_by(2 * DAY)
    with pytest.raises(NotYetStated, match="2026-11-20"):
        await state(P1, TOMORROW)  # whose receipts would be named twice, or never
    await state(P1, TODAY)
    await state(P1, TOMORROW)
    with pytest.raises(NotYetStated, match="is stated already"):
        await state(P1, "2026-11-19")


async def test_no_receipt_gets_a_time_within_a_stated_period(
    begin: Begin[AllWork], clock: FakeClock, issue: Issue, state: IssueStatement
) -> None:
    behind = issuing(begin, clock=FakeClock(NOON), server=2)  # a server with a slow clock
    await issue(P1)
    clock.pass_by(DAY)
    await state(P1, TODAY)
    late = await behind(P1)
    assert f"{late.stored_at:%Y-%m-%d}" == TOMORROW
    clock.pass_by(DAY)
    stored, _ = await state(P1, TOMORROW)
    assert stored.content.count == 1


@pytest.mark.parametrize(
    "name", ["", "2026", "2026-13", "2026-11-31", "2026-11-20T00:00", "26-11", "0000-01", "9999-12"]
)
async def test_a_period_is_a_day_or_month(state: IssueStatement, name: str) -> None:
    with pytest.raises(InvalidField, match="period"):
        await state(P1, name)


async def test_a_statement_is_private_to_its_project(
    begin: Begin[AllWork], clock: FakeClock, issue: Issue, state: IssueStatement
) -> None:
    await issue(P1)
    clock.pass_by(DAY)
    stored, _ = await state(P1, TODAY)
    for read in (FetchStatement(begin), ProveStatement(begin)):
        with pytest.raises(StatementNotFound):
            await read(P2, stored.id)
    with pytest.raises(StatementNotFound):
        await anext(ReadStated(begin)(P2, stored.id))
    assert await ListStatements(begin)(P2, 10, 0) == ([], 0)


async def test_nothing_is_stated_with_a_closed_key(
    begin: Begin[AllWork], clock: FakeClock, issue: Issue, state: IssueStatement
) -> None:
    await issue(P1)
    clock.pass_by(DAY)
    await CloseKey(begin, clock)(KEY.id, revoke=False)
    with pytest.raises(CannotSign):
        await state(P1, TODAY)
    assert await ListStatements(begin)(P1, 10, 0) == ([], 0)


async def test_a_statement_is_no_receipt_to_keep(
    begin: Begin[AllWork], clock: FakeClock, issue: Issue, state: IssueStatement
) -> None:
    await issue(P1)
    clock.pass_by(DAY)
    stored, _ = await state(P1, TODAY)
    with pytest.raises(BadReceipt):
        await StoreReceipt(begin, clock, ids(2), secrets())(P1, stored.document.encode())
