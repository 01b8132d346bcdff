"""What every AnswerBook promises, on every backend."""

import asyncio
from datetime import datetime, timedelta

import pytest

from llmring_core.idempotency import AlreadyAnswered, Answer, Attempt, IdempotencyWork
from llmring_core.ids import ProjectId
from llmring_core.transactions import Begin
from tests.builders.idempotency import ANSWER, ATTEMPT, answer, attempt
from tests.builders.kernel import MICROSECOND, NOON, P1, P2

LATER = NOON + timedelta(hours=24)  # when ANSWER expires


async def kept(begin: Begin[IdempotencyWork], *answers: Answer, now: datetime = NOON) -> None:
    async with begin() as work:
        await work.answers.add(answers, now)


async def found(
    begin: Begin[IdempotencyWork],
    sought: Attempt = ATTEMPT,
    project: ProjectId = P1,
    now: datetime = NOON,
) -> Answer | None:
    async with begin() as work:
        return await work.answers.find(project, sought, now)


class TestAnswerBook:
    async def test_gives_back_exactly_the_first_answer(self, begin: Begin[IdempotencyWork]) -> None:
        await kept(begin, ANSWER)
        assert await found(begin, attempt(fingerprint="another")) == ANSWER

    async def test_refuses_a_second_answer_and_keeps_the_first(
        self, begin: Begin[IdempotencyWork]
    ) -> None:
        await kept(begin, ANSWER)
        second = answer("second", fingerprint="another")
        with pytest.raises(AlreadyAnswered) as refusal:
            await kept(begin, second)
        assert list(refusal.value.names) == [second.name]
        assert await found(begin) == ANSWER

    async def test_an_answer_is_in_force_until_the_instant_it_expires(
        self, begin: Begin[IdempotencyWork]
    ) -> None:
        await kept(begin, ANSWER)
        assert await found(begin, now=LATER - MICROSECOND) == ANSWER
        assert await found(begin, now=LATER) is None

    async def test_an_expired_answer_gives_way_to_a_new_one(
        self, begin: Begin[IdempotencyWork]
    ) -> None:
        await kept(begin, ANSWER)
        second = answer("second", expires_at=LATER + timedelta(hours=24))
        with pytest.raises(AlreadyAnswered):
            await kept(begin, second, now=LATER - MICROSECOND)
        await kept(begin, second, now=LATER)
        assert await found(begin, now=LATER) == second

    async def test_an_answer_without_an_end_stays(self, begin: Begin[IdempotencyWork]) -> None:
        eternal = answer(expires_at=None)
        await kept(begin, eternal)
        assert await found(begin, now=NOON + timedelta(days=36_500)) == eternal

    async def test_a_key_means_something_else_in_another_scope_and_project(
        self, begin: Begin[IdempotencyWork]
    ) -> None:
        scoped, foreign = (
            answer("scoped", scope="usage.client_log_id"),
            answer("foreign", project=P2),
        )
        await kept(begin, ANSWER, scoped)
        assert await found(begin, project=P2) is None
        await kept(begin, foreign)
        assert await found(begin) == ANSWER
        assert await found(begin, scoped.attempt) == scoped
        assert await found(begin, project=P2) == foreign

    @pytest.mark.parametrize("key", ["schlüssel/7 \U0001f600", "%", " ", "", "x" * 255])
    async def test_keys_are_compared_exactly(self, begin: Begin[IdempotencyWork], key: str) -> None:
        await kept(begin, ANSWER)
        assert await found(begin, attempt(key=key)) is None
        await kept(begin, answer("mine", key=key))
        assert await found(begin, attempt(key=key)) == answer("mine", key=key)

    async def test_several_answers_are_kept_together_or_not_at_all(
        self, begin: Begin[IdempotencyWork]
    ) -> None:
        await kept(begin, ANSWER)
        with pytest.raises(AlreadyAnswered):
            await kept(begin, answer("new", key="new"), answer("second"))
        assert await found(begin, attempt(key="new")) is None

    async def test_of_many_at_once_exactly_one_is_the_first(
        self, begin: Begin[IdempotencyWork]
    ) -> None:
        bodies = [str(number) for number in range(20)]
        outcomes = await asyncio.gather(
            *(kept(begin, answer(body)) for body in bodies), return_exceptions=True
        )
        kept_ones = [body for body, end in zip(bodies, outcomes, strict=True) if end is None]
        refused = [end for end in outcomes if isinstance(end, AlreadyAnswered)]
        assert (len(kept_ones), len(refused)) == (1, 19)
        assert await found(begin) == answer(kept_ones[0])
