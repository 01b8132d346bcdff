"""Calls wait for their receipts beside the calls; what fails is left to be found as missed."""

from collections.abc import Sequence

import pytest

from llmring_adapters.gateway.certifier import BufferedCertifier
from llmring_core.canonical import NotCanonical
from llmring_core.errors import LLMRingError, Overloaded, StoreUnavailable
from llmring_core.gateway.certifying import AT_ONCE, CertifyCalls, is_certifiable
from llmring_core.idempotency import AlreadyAnswered
from llmring_core.receipts import CannotSign, Issuance, ReceiptIntake, StoredReceipt
from tests.builders.certification import forwarded


class Refusing(ReceiptIntake):
    """Refuses every call, each time for the next of some reasons; then as the last time."""

    def __init__(self, *reasons: LLMRingError) -> None:
        self.reasons = list(reasons)
        self.asked: list[int] = []  # how many at a time

    async def take(self, issuance: Issuance) -> StoredReceipt:
        raise NotImplementedError  # nobody here asks for one

    async def take_all(self, issuances: Sequence[Issuance]) -> list[StoredReceipt | LLMRingError]:
        self.asked.append(len(issuances))
        assert all(issuance.in_ledger for issuance in issuances)
        reason = self.reasons.pop(0) if len(self.reasons) > 1 else self.reasons[0]
        if isinstance(reason, Overloaded):
            raise reason
        return [reason for _ in issuances]


def waiting(certifier: BufferedCertifier, count: int) -> None:
    for _ in range(count):
        certifier.certify(forwarded())


async def test_they_are_asked_for_together() -> None:
    intake = Refusing(AlreadyAnswered([]))
    certifier = BufferedCertifier(CertifyCalls(intake))
    waiting(certifier, AT_ONCE + 1)
    assert certifier.waiting == AT_ONCE + 1
    await certifier.flush()
    assert (intake.asked, certifier.waiting, certifier.failed) == ([AT_ONCE, 1], 0, 0)
    await certifier.flush()
    assert len(intake.asked) == 2


@pytest.mark.parametrize("reason", [CannotSign("no key"), StoreUnavailable("away"), Overloaded()])
async def test_after_a_failure_nobody_waits(reason: LLMRingError) -> None:
    intake = Refusing(AlreadyAnswered([]), reason)
    certifier = BufferedCertifier(CertifyCalls(intake))
    waiting(certifier, 2 * AT_ONCE + 1)
    with pytest.raises(type(reason)):
        await certifier.flush()
    assert (intake.asked, certifier.waiting) == ([AT_ONCE, AT_ONCE], 0)
    assert certifier.failed == AT_ONCE + 1


async def test_one_that_can_have_none_is_told_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    intake = Refusing(NotCanonical("too large"), AlreadyAnswered([]))
    certifier = BufferedCertifier(CertifyCalls(intake))
    waiting(certifier, 1)
    await certifier.flush()
    waiting(certifier, 1)
    await certifier.flush()
    assert (intake.asked, certifier.failed) == ([1, 1], 1)
    assert caplog.messages == ["a call can have no receipt: too large"]


async def test_there_is_room_for_so_many() -> None:
    certifier = BufferedCertifier(CertifyCalls(Refusing(AlreadyAnswered([]))), max_waiting=2)
    waiting(certifier, 3)
    assert (certifier.waiting, certifier.failed) == (2, 1)


@pytest.mark.parametrize(
    "changes", [{"cost_usd": None}, {"kind": "adjustment"}, {"kind": "cache_hit"}, {"metadata": {}}]
)
def test_only_a_call_that_is_known_to_cost_something_gets_one(changes: dict[str, object]) -> None:
    assert is_certifiable(forwarded())
    assert not is_certifiable(forwarded(**changes))
