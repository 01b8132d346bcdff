"""Calls of the last day that should have a receipt and have none get it, on every backend."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from msgspec import json
from msgspec.structs import replace

from llmring_adapters.transactions.all_work import AllWork
from llmring_core.accounts import Project
from llmring_core.gateway import certifying
from llmring_core.gateway.certifying import (
    AGAIN,
    AT_ONCE,
    LEFT_ALONE,
    LOOK_BACK,
    LOOKS,
    STRETCH,
    CertifyMissed,
)
from llmring_core.ids import ProjectId
from llmring_core.receipts import CannotSign, CloseKey, ListReceipts
from llmring_core.transactions import Begin
from llmring_core.usage import Tokens
from tests.builders.certification import certifying_calls, forwarded, logged
from tests.builders.gateway import GATEWAY_PROJECT
from tests.builders.kernel import MICROSECOND, NOON, P1, P2, FakeClock
from tests.builders.receipts import KEY
from tests.builders.usage import usage_record

CALLED = NOON - LEFT_ALONE - MICROSECOND
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
async def _projects(begin: Begin[AllWork]) -> None:
    """Two projects; the second issues no receipts."""
    async with begin() as work:
        await work.keys.put(KEY)
        for id, issues in ((P1, True), (P2, False)):
            await work.accounts.add_project(Project(id=id, name=id, created_at=NOON))
            await work.gateway.add(replace(GATEWAY_PROJECT, id=id, name=id, issues_receipts=issues))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def certify_missed(begin: Begin[AllWork], clock: FakeClock) -> CertifyMissed:
    return CertifyMissed(begin, certifying_calls(begin), clock)


async def certified(begin: Begin[AllWork], project: ProjectId = P1) -> list[str]:
    """Return the calls that receipts name, by number."""
    found, _ = await ListReceipts(begin)(project, 1000, 0)
    named = [json.decode(one.body) for one in found]
    return [one["usage_id"] for one in sorted(named, key=lambda one: int(one["seq"]))]


async def test_what_was_missed_is_issued_once(
    begin: Begin[AllWork], certify_missed: CertifyMissed
) -> None:
    times = (NOON - LOOK_BACK, NOON - 5 * HOUR, CALLED)
    made = await logged(begin, *(forwarded(at=at) for at in times))
    for _ in range(2):
        assert await certify_missed({}) == {P1: NOON - LEFT_ALONE - AGAIN}
        assert await certified(begin) == made


@pytest.mark.parametrize(
    "changes",
    [
        {"at": NOON - LOOK_BACK - MICROSECOND},
        {"at": NOON - LEFT_ALONE},
        {"project": P2},
        {"kind": "cache_hit"},
        {"kind": "adjustment", "tokens": Tokens()},
        {"cost_usd": None},
        {"usage_source": "client"},
        {"metadata": {}},
    ],
    ids=str,
)
async def test_nothing_else_gets_one(
    begin: Begin[AllWork], certify_missed: CertifyMissed, changes: dict[str, Any]
) -> None:
    await logged(begin, forwarded(**({"at": CALLED} | changes)))
    await certify_missed({})
    assert [await certified(begin, one) for one in (P1, P2)] == [[], []]


async def test_calls_that_were_logged_do_not_hide_those_that_were_missed(
    begin: Begin[AllWork], certify_missed: CertifyMissed
) -> None:
    await logged(begin, *(usage_record(at=CALLED - MICROSECOND) for _ in range(AT_ONCE)))
    made = await logged(begin, *(forwarded(at=CALLED) for _ in range(AT_ONCE + 1)))
    await certify_missed({})
    assert await certified(begin) == made


async def test_what_is_committed_late_is_found_the_next_time(
    begin: Begin[AllWork], certify_missed: CertifyMissed, clock: FakeClock
) -> None:
    since = await certify_missed({})
    made = await logged(begin, forwarded(at=since[P1]), forwarded(at=CALLED))
    too_late = await logged(begin, forwarded(at=since[P1] - MICROSECOND))
    clock.pass_by(timedelta(minutes=1))
    since = await certify_missed(since)
    assert (await certified(begin), since) == (made, {P1: clock() - LEFT_ALONE - AGAIN})
    await certify_missed({})  # as a server that starts does
    assert await certified(begin) == made + too_late


async def test_a_turn_ends_and_the_next_one_goes_on(
    begin: Begin[AllWork], certify_missed: CertifyMissed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certifying, "AT_ONCE", 1)
    at = NOON - LOOK_BACK
    made = await logged(begin, *(forwarded(at=at + n * MICROSECOND) for n in range(LOOKS + 1)))
    since = await certify_missed({})
    assert (await certified(begin), since) == (made[:LOOKS], {P1: at})
    assert await certify_missed(since) == {P1: NOON - LEFT_ALONE - AGAIN}
    assert await certified(begin) == made


async def test_projects_are_looked_through_from_when_on_they_issue_receipts(
    begin: Begin[AllWork], certify_missed: CertifyMissed
) -> None:
    made = await logged(begin, forwarded(at=CALLED - STRETCH, project=P2))
    since = await certify_missed({})
    async with begin() as work:
        for id, issues in ((P1, False), (P2, True)):
            await work.gateway.change(
                replace(GATEWAY_PROJECT, id=id, name=id, issues_receipts=issues)
            )
    assert (await certify_missed(since)).keys() == {P2}
    assert await certified(begin, P2) == made


async def test_two_servers_at_once_issue_each_receipt_once(
    begin: Begin[AllWork], clock: FakeClock
) -> None:
    made = await logged(begin, *(forwarded(at=CALLED) for _ in range(20)))
    servers = [CertifyMissed(begin, certifying_calls(begin, n), clock) for n in range(3)]
    await asyncio.gather(*(certify_missed({}) for certify_missed in servers))
    assert sorted(await certified(begin)) == sorted(made)


async def test_without_a_key_they_stay_missed(
    begin: Begin[AllWork], certify_missed: CertifyMissed, clock: FakeClock
) -> None:
    made = await logged(begin, forwarded(at=CALLED))
    await CloseKey(begin, clock)(KEY.id, revoke=False)
    with pytest.raises(CannotSign):
        await certify_missed({})
    async with begin() as work:
        await work.keys.put(KEY)
    await certify_missed({})
    assert await certified(begin) == made
