"""Checking a receipt with nothing but files: every step passes, and fails when it should."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import cache
from itertools import cycle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import replace

from llmring_adapters.registry.bundled import bundled_snapshot
from llmring_adapters.registry.live import LiveRegistry
from llmring_adapters.transactions.memory import memory_transactions
from llmring_core.receipts import (
    AdoptKey,
    Evidence,
    ProveReceipt,
    Report,
    checked,
)
from llmring_core.transparency import (
    ContinueLog,
    Note,
    ProveConsistency,
    ReadCheckpoint,
    note_of,
)
from llmring_core.usage import Tokens, UsageToLog
from tests.builders.kernel import MICROSECOND, NOON, P1, FakeClock
from tests.builders.receipts import KEY, SIGNER, issuing
from tests.builders.transparency import SIGNER as LOG_SIGNER

SNAPSHOT = bundled_snapshot()
SERVED = json.encode(
    {"version": SNAPSHOT.version, "generated_at": SNAPSHOT.published_at}
    | json.decode(SNAPSHOT.document)
)
CALL = UsageToLog(
    provider="openai",
    model="gpt-4o-mini",
    tokens=Tokens(input_uncached=900, input_cache_read=100, output=200, output_reasoning=7),
)
STEPS = ["form", "signature", "inclusion", "checkpoint", "consistency", "cost"]


@cache
def everything() -> Evidence:
    with ThreadPoolExecutor(1) as thread:  # a test may have an event loop already
        return thread.submit(asyncio.run, _everything()).result()


@pytest.fixture
def evidence() -> Evidence:
    return everything()


async def _everything() -> Evidence:
    """Return a receipt in a log that went on since an older checkpoint, and all proofs of it."""
    begin = memory_transactions()
    await AdoptKey(begin, SIGNER, FakeClock())()
    registry = LiveRegistry(SNAPSHOT)
    issue = issuing(begin, registry)
    go_on = ContinueLog(begin, begin, LOG_SIGNER)
    for _ in range(3):
        await issue(P1)
    await go_on()
    older = await ReadCheckpoint(begin)()
    stored = await issue(P1)
    await issue(P1)
    await go_on()
    proof = await ProveReceipt(begin)(P1, stored.id)
    return Evidence(
        document=stored.document.encode(),
        keys=[KEY],
        proof=proof.text,
        log_key=LOG_SIGNER.key,
        older_checkpoint=older.note,
        consistency=await ProveConsistency(begin)(3, 5),
        snapshot=SERVED,
    )


def failed(report: Report) -> list[str]:
    assert report.valid == all(step.passed for step in report.steps)
    return [step.name for step in report.steps if not step.passed]


def changed(evidence: Evidence, **members: Any) -> Evidence:
    receipt = json.decode(evidence.document) | members
    return replace(evidence, document=json.encode(receipt))


def test_every_step_passes(evidence: Evidence) -> None:
    report = checked(evidence)
    assert [step.name for step in report.steps] == STEPS
    assert failed(report) == []
    assert report.receipt_id is not None


def test_a_step_without_evidence_is_left_out(evidence: Evidence) -> None:
    report = checked(Evidence(document=evidence.document, keys=[KEY]))
    assert [step.name for step in report.steps] == ["form", "signature"]
    assert report.valid


def test_a_change_breaks_signature_and_inclusion(evidence: Evidence) -> None:
    assert failed(checked(changed(evidence, seq=99))) == ["signature", "inclusion"]


def test_a_cost_that_is_not_the_price_lists_is_found_though_it_is_signed(
    evidence: Evidence,
) -> None:
    receipt = json.decode(evidence.document)
    del receipt["signature"]
    receipt["cost"]["amount"] = str(Decimal(receipt["cost"]["amount"]) * 2)
    body = json.encode(receipt, order="sorted")
    lie = json.encode(receipt | {"signature": SIGNER.sign(body)})
    report = checked(Evidence(document=lie, keys=[KEY], snapshot=SERVED))
    assert failed(report) == ["cost"]


def test_another_price_list_is_not_taken(evidence: Evidence) -> None:
    other = SERVED.replace(b"gpt-4o-mini", b"gpt-4o-maxi")
    assert failed(checked(replace(evidence, snapshot=other))) == ["cost"]


@pytest.mark.parametrize("amount", [None, "", "1.0e1", "!.1", "NaN", "-0.0002667", "0.00026670"])
def test_an_amount_has_one_spelling(evidence: Evidence, amount: str | None) -> None:
    cost = json.decode(evidence.document)["cost"]
    assert failed(checked(changed(evidence, cost=cost | {"amount": amount})))[-1] == "cost"


def test_another_log_is_not_taken(evidence: Evidence) -> None:
    other = replace(LOG_SIGNER.key, name="example.com/other")
    assert failed(checked(replace(evidence, log_key=other))) == ["checkpoint", "consistency"]


def test_a_rewritten_log_is_found(evidence: Evidence) -> None:
    text = note_of(evidence.older_checkpoint or "").text
    lines = text.split("\n")
    lines[2] = "A" * 43 + "="
    forged = "\n".join(lines)
    note = Note(text=forged, signatures=(LOG_SIGNER.sign(forged),)).signed
    assert failed(checked(replace(evidence, older_checkpoint=note))) == ["consistency"]


def test_a_witness_that_is_missed_is_named(evidence: Evidence) -> None:
    witness = replace(LOG_SIGNER.key, name="witness.example")
    report = checked(replace(evidence, witnesses=[witness]))
    assert failed(report) == ["checkpoint"]
    assert "witness.example" in next(one for one in report.steps if not one.passed).detail


def test_a_key_that_was_revoked_before_does_not_count(evidence: Evidence) -> None:
    revoked = replace(KEY, revoked_at=NOON - MICROSECOND)
    assert failed(checked(replace(evidence, keys=[revoked]))) == ["signature"]


@pytest.mark.parametrize("receipt", [b"", b"[]", b"{}", b'{"type":"llmring.receipt"}', b"\xff"])
def test_what_is_no_receipt_fails_in_words(evidence: Evidence, receipt: bytes) -> None:
    report = checked(replace(evidence, document=receipt))
    assert failed(report)[:2] == ["form", "signature"]
    assert all(step.detail for step in report.steps)


@settings(deadline=None)  # the first one makes the log
@given(st.data())
def test_no_byte_of_receipt_proof_or_checkpoint_can_be_changed(data: st.DataObject) -> None:
    evidence = everything()
    member = data.draw(st.sampled_from(["document", "proof", "older_checkpoint"]))
    value = getattr(evidence, member)
    raw = value if isinstance(value, bytes) else value.encode()
    at = data.draw(st.integers(0, len(raw) - 1).filter(lambda at: raw[at] < 128))
    byte = data.draw(st.integers(32, 126).filter(lambda one: one != raw[at]))
    other = raw[:at] + bytes([byte]) + raw[at + 1 :]
    wrong = replace(evidence, **{member: other if isinstance(value, bytes) else other.decode()})
    report = checked(wrong)
    assert not report.valid


@pytest.mark.parametrize("member", ["document", "proof", "older_checkpoint"])
def test_every_byte_counts(member: str) -> None:
    evidence = replace(everything(), snapshot=None)  # reading one takes longer than all the rest
    value = getattr(evidence, member)
    raw = value if isinstance(value, bytes) else value.encode()
    awkward = cycle(b'=+-.!eE"\\\n\t 0aZ{}[],:~')
    for at, found in enumerate(raw):
        if found < 128:  # half a character would not be text
            byte = next(one for one in awkward if one != found)
            other = raw[:at] + bytes([byte]) + raw[at + 1 :]
            wrong = other if isinstance(value, bytes) else other.decode()
            assert not checked(replace(evidence, **{member: wrong})).valid
