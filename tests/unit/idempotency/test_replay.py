"""When two requests are the same one, and what the second is told."""

from decimal import Decimal

import pytest

from llmring_adapters.transactions.memory import memory_transactions
from llmring_core.idempotency import (
    AlreadyAnswered,
    Answer,
    Attempt,
    KeyReused,
    fingerprint_of,
    first_answer,
)
from llmring_core.ids import ProjectId
from llmring_core.money import usd_from_number, usd_from_text
from tests.builders.idempotency import ANSWER, ATTEMPT, answer, attempt
from tests.builders.kernel import NOON, P1, P2
from tests.builders.usage import CALL, call


class TestFingerprint:
    def test_is_a_sha_256(self) -> None:
        assert len(bytes.fromhex(fingerprint_of(CALL))) == 32

    def test_does_not_depend_on_the_order_of_members(self) -> None:
        one, other = call(metadata={"a": {"b": 1, "c": 2}, "d": 3}), {"d": 3, "a": {"c": 2, "b": 1}}
        assert fingerprint_of(one) == fingerprint_of(call(metadata=other))

    @pytest.mark.parametrize("text", ["0.1", "0.10", "00.100000000000"])
    @pytest.mark.parametrize("number", ["0.1", "1e-1", "0.10000000000000001"])
    def test_does_not_depend_on_how_an_amount_was_spelt(self, text: str, number: str) -> None:
        as_text = call(cost_usd=usd_from_text("cost", text))
        as_number = call(cost_usd=usd_from_number("cost", number))
        assert fingerprint_of(as_text) == fingerprint_of(as_number)

    @pytest.mark.parametrize(
        "changes",
        [
            {"model": "gpt-4o-mini "},
            {"alias": ""},
            {"cost_usd": Decimal(0)},
            {"metadata": {"a": [1, 2]}},
            {"metadata": {"a": [2, 1]}},
            {"client_log_id": "x"},
            {"latency_ms": 0},
        ],
        ids=str,
    )
    def test_differs_when_anything_else_does(self, changes: dict[str, object]) -> None:
        prints = {fingerprint_of(CALL), fingerprint_of(call(**changes))}
        assert len(prints) == 2


class TestFirstAnswer:
    async def first(self, *attempts: Attempt, kept: list[Answer], project: ProjectId = P1) -> str:
        begin = memory_transactions()
        async with begin() as work:
            await work.answers.add(kept, NOON)
            return await first_answer(work.answers, project, attempts, NOON)

    async def test_of_a_request_whose_answer_has_just_expired_is_to_be_asked_again(self) -> None:
        with pytest.raises(AlreadyAnswered) as refusal:
            await self.first(ATTEMPT, kept=[answer(key="another")])
        assert refusal.value.names == [(P1, ATTEMPT.scope, ATTEMPT.key)]

    async def test_of_the_same_request_is_what_it_got(self) -> None:
        assert await self.first(ATTEMPT, kept=[ANSWER]) == ANSWER.body

    async def test_is_found_by_any_of_a_requests_names(self) -> None:
        assert await self.first(attempt(key="new"), ATTEMPT, kept=[ANSWER]) == ANSWER.body

    async def test_of_another_request_is_refused(self) -> None:
        other = attempt(fingerprint="another")
        with pytest.raises(KeyReused) as refusal:
            await self.first(other, kept=[ANSWER])
        assert refusal.value.attempt == other

    async def test_is_nobody_elses(self) -> None:
        with pytest.raises(AlreadyAnswered):
            await self.first(attempt(fingerprint="another"), kept=[ANSWER], project=P2)
