"""A provider that keeps failing is left alone, and tried again by one call."""

from datetime import timedelta

import pytest

from llmring_adapters.gateway.forwarding_memory import MAX_CIRCUITS, MemoryBreaker
from llmring_core.gateway.forwarding import CircuitOpen
from llmring_core.gateway.forwarding.breaker import FAILURES, OPEN_S
from llmring_core.ids import ProjectId
from tests.builders.kernel import P1, P2, FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def breaker(clock: FakeClock) -> MemoryBreaker:
    return MemoryBreaker(clock.seconds)


def fail(breaker: MemoryBreaker, times: int) -> None:
    for _ in range(times):
        breaker.enter(P1, "openai")
        breaker.leave(P1, "openai", works=False)


def test_some_failures_in_a_row_open_it(breaker: MemoryBreaker) -> None:
    fail(breaker, FAILURES)

    with pytest.raises(CircuitOpen) as refused:
        breaker.enter(P1, "openai")

    assert refused.value.retry_after_s == OPEN_S


def test_others_are_not_affected(breaker: MemoryBreaker) -> None:
    fail(breaker, FAILURES)

    breaker.enter(P2, "openai")
    breaker.enter(P1, "anthropic")


def test_an_answer_in_between_starts_the_row_again(breaker: MemoryBreaker) -> None:
    fail(breaker, FAILURES - 1)
    breaker.enter(P1, "openai")
    breaker.leave(P1, "openai", works=True)
    fail(breaker, FAILURES - 1)

    breaker.enter(P1, "openai")


def test_a_caller_who_left_says_nothing(breaker: MemoryBreaker) -> None:
    fail(breaker, FAILURES - 1)
    breaker.enter(P1, "openai")
    breaker.leave(P1, "openai", works=None)
    fail(breaker, 1)

    with pytest.raises(CircuitOpen):
        breaker.enter(P1, "openai")


def test_one_call_at_a_time_finds_out(breaker: MemoryBreaker, clock: FakeClock) -> None:
    fail(breaker, FAILURES)
    clock.pass_by(timedelta(seconds=OPEN_S))

    breaker.enter(P1, "openai")
    with pytest.raises(CircuitOpen):
        breaker.enter(P1, "openai")
    breaker.leave(P1, "openai", works=None)
    breaker.enter(P1, "openai")
    breaker.leave(P1, "openai", works=True)

    breaker.enter(P1, "openai")
    breaker.enter(P1, "openai")


def test_a_failed_try_opens_it_again(breaker: MemoryBreaker, clock: FakeClock) -> None:
    fail(breaker, FAILURES)
    clock.pass_by(timedelta(seconds=OPEN_S))
    fail(breaker, 1)

    clock.pass_by(timedelta(seconds=OPEN_S - 1))
    with pytest.raises(CircuitOpen):
        breaker.enter(P1, "openai")


def test_it_remembers_only_so_many(breaker: MemoryBreaker) -> None:
    fail(breaker, FAILURES)
    for number in range(MAX_CIRCUITS):
        breaker.leave(ProjectId(str(number)), "openai", works=False)

    breaker.enter(P1, "openai")
