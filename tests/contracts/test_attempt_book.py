"""What every AttemptBook promises, on every backend."""

from asyncio import gather
from contextlib import suppress
from datetime import timedelta

from llmring_adapters.transactions.all_work import AllWork
from llmring_core.gateway.journal import StartedAttempt
from llmring_core.ids import UsageId
from llmring_core.transactions import Begin
from tests.builders.gateway import ATTEMPT, attempt
from tests.builders.kernel import MICROSECOND, NOON, P2
from tests.builders.usage import usage_record

MINUTE = timedelta(minutes=1)
A, B, C = attempt(1), attempt(2, project=P2, model=None), attempt(3)


async def add(begin: Begin[AllWork], *attempts: StartedAttempt, after: timedelta = MINUTE) -> None:
    async with begin() as work:
        await work.attempts.add(attempts, NOON + after)


async def renew(begin: Begin[AllWork], *ids: UsageId) -> set[UsageId]:
    async with begin() as work:
        return await work.attempts.renew(ids, NOON + 2 * MINUTE)


async def take(begin: Begin[AllWork], after: timedelta = MINUTE) -> StartedAttempt | None:
    async with begin() as work:
        return await work.attempts.take_lapsed(NOON + after)


async def take_all(begin: Begin[AllWork], after: timedelta = MINUTE) -> list[StartedAttempt]:
    found = []
    while (one := await take(begin, after)) is not None:
        found.append(one)
    return found


async def test_gives_back_what_was_added_when_its_lease_is_over(begin: Begin[AllWork]) -> None:
    await add(begin, ATTEMPT, B)
    assert await take(begin, MINUTE - MICROSECOND) is None
    assert await take_all(begin) == [B, ATTEMPT]


async def test_nothing_may_be_added_removed_or_renewed(begin: Begin[AllWork]) -> None:
    await add(begin)
    async with begin() as work:
        await work.attempts.remove([])
    assert await renew(begin) == set()


async def test_whose_lease_was_over_first_comes_first(begin: Begin[AllWork]) -> None:
    await add(begin, A, after=2 * MINUTE)
    await add(begin, B, C)
    assert await take_all(begin, 2 * MINUTE) == [B, C, A]


async def test_what_is_removed_is_forgotten(begin: Begin[AllWork]) -> None:
    await add(begin, A, B)
    async with begin() as work:
        await work.attempts.remove([A.id, C.id])
    assert await take_all(begin) == [B]


async def test_what_is_renewed_stays_for_another_lease(begin: Begin[AllWork]) -> None:
    await add(begin, A, B)
    assert await renew(begin, A.id, C.id) == {A.id}
    assert await take_all(begin) == [B]
    assert await take_all(begin, 2 * MINUTE) == [A]


async def test_what_is_in_the_ledger_is_not_renewed(begin: Begin[AllWork]) -> None:
    await add(begin, A, B)
    async with begin() as work:
        await work.usage.append([usage_record(id=A.id)])
    assert await renew(begin, A.id, B.id) == {B.id}
    assert await take_all(begin) == [A]


async def test_a_transaction_that_fails_takes_nothing(begin: Begin[AllWork]) -> None:
    await add(begin, A)
    with suppress(LookupError):
        async with begin() as work:
            await work.attempts.take_lapsed(NOON + MINUTE)
            raise LookupError
    assert await take_all(begin) == [A]


async def test_many_at_once_never_take_the_same(begin: Begin[AllWork]) -> None:
    attempts = [attempt(number) for number in range(20)]
    await add(begin, *attempts)
    taken = await gather(*(take(begin) for _ in range(30)))
    ids = [one.id for one in taken if one is not None]
    assert sorted(ids) == sorted(set(ids))
    assert sorted([*ids, *(one.id for one in await take_all(begin))]) == [a.id for a in attempts]
