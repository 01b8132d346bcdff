"""Whoever checks a statement finds what it leaves out, adds, or adds up wrongly."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import replace
from nacl.signing import SigningKey

from llmring_adapters.transactions.memory import memory_transactions
from llmring_core.canonical import canonical
from llmring_core.receipts import Evidence, IssueStatement, ReadStated, Report, checked, sign
from tests.builders.kernel import P1, FakeClock, ids
from tests.builders.receipts import KEY, SEED, SIGNER, issuing, secrets

DAY = timedelta(days=1)


@cache
def both() -> tuple[Evidence, Evidence]:
    with ThreadPoolExecutor(1) as thread:  # a test may have an event loop already
        return thread.submit(asyncio.run, _both()).result()


async def _both() -> tuple[Evidence, Evidence]:
    """Return the statements of two days, each with its receipts and the one before it."""
    begin, clock = memory_transactions(), FakeClock()
    async with begin() as work:
        await work.keys.put(KEY)
    issue = issuing(begin, clock=clock)
    state = IssueStatement(begin, SIGNER, clock, ids(1), secrets())
    found: list[Evidence] = []
    for name, count in (("2026-11-20", 3), ("2026-11-21", 5)):
        for _ in range(count):
            await issue(P1)
        clock.pass_by(DAY)
        stored, _ = await state(P1, name)
        pages = [page async for page in ReadStated(begin)(P1, stored.id)]
        found.append(
            Evidence(
                document=stored.document.encode(),
                keys=[KEY],
                receipts=[one.document.encode() for page in pages for one in page],
                previous=found[-1].document if found else None,
            )
        )
    return found[0], found[1]


@pytest.fixture
def evidence() -> Evidence:
    return both()[1]


def failed(report: Report) -> list[str]:
    return [step.name for step in report.steps if not step.passed]


def signed_again(content: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """A document as an operator would make it who has the key and lies."""
    document = json.decode(content)
    del document["signature"]
    change(document)
    return json.encode(document | {"signature": sign(canonical(document), SigningKey(SEED))})


def test_every_step_passes(evidence: Evidence) -> None:
    report = checked(evidence)
    assert report.valid, report
    assert [step.name for step in report.steps] == [
        *("form", "signature", "completeness", "sequence")
    ]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda all: all[:-1], "receipt 8 is missing"),
        (lambda all: all[1:], "receipt 4 is missing"),
        (lambda all: [*all[:2], *all[3:]], "receipt 6 is missing"),
        (lambda all: [*all, all[-1]], "receipt 9 is missing"),
        (lambda all: [all[1], all[0], *all[2:]], "receipt 4 is missing"),
        (lambda all: [*(both()[0].receipts or ()), *all], "receipt 4 is missing"),
        (lambda _: [], "receipt 4 is missing"),
        (lambda all: [*all[:4], b"{}"], "no receipt of version 2"),
        (lambda all: [*all[:4], all[4].replace(b'"0.0', b'"1.0')], "does not match"),
    ],
)
def test_other_receipts_are_not_taken(
    evidence: Evidence, change: Callable[[list[bytes]], list[bytes]], wrong: str
) -> None:
    receipts = change(list(evidence.receipts or ()))
    report = checked(replace(evidence, receipts=receipts))
    assert failed(report) == ["completeness"]
    assert wrong in next(step.detail for step in report.steps if not step.passed)


@pytest.mark.parametrize(
    "lie",
    [
        {"amount": "0"},
        {"count": 4},
        {"unpriced": 1},
        {"by_model": []},
        {"root": "00" * 32},
        {"last_seq": 7},
        {"first_seq": 5},
        {"end": "2026-11-21T00:00:00.000000Z"},
        {"project": "another"},
    ],
    ids=str,
)
def test_a_lie_with_a_good_signature_is_found(evidence: Evidence, lie: dict[str, Any]) -> None:
    document = signed_again(evidence.document, lambda statement: statement.update(lie))
    report = checked(replace(evidence, document=document))
    assert "signature" not in failed(report)
    assert "completeness" in failed(report)


def test_a_receipt_that_was_replaced_is_found(evidence: Evidence) -> None:
    """The operator signs another receipt with the same number: the root tells."""
    receipts = list(evidence.receipts or ())
    receipts[2] = signed_again(receipts[2], lambda receipt: receipt.update(alias="other"))
    assert failed(checked(replace(evidence, receipts=receipts))) == ["completeness"]


def test_a_statement_in_between_cannot_vanish(evidence: Evidence) -> None:
    first = both()[0]
    for document in (
        signed_again(evidence.document, lambda statement: statement.update(previous=None)),
        signed_again(evidence.document, lambda statement: statement.update(first_seq=5, count=4)),
    ):
        assert "sequence" in failed(checked(replace(evidence, document=document)))
    other = signed_again(first.document, lambda statement: statement.update(amount="0"))
    assert failed(checked(replace(evidence, previous=other))) == ["sequence"]
    assert failed(checked(replace(first, previous=evidence.document))) == ["sequence"]


@pytest.mark.parametrize("document", [b"", b"{}", b'{"type":"llmring.statement"}'])
def test_what_is_no_statement_fails_in_words(evidence: Evidence, document: bytes) -> None:
    report = checked(replace(evidence, document=document))
    assert failed(report) == ["form", "signature", "completeness", "sequence"]
    assert all(step.detail for step in report.steps)


@given(st.data())
def test_no_byte_of_a_statement_can_be_changed(data: st.DataObject) -> None:
    evidence = both()[1]
    raw = evidence.document
    at = data.draw(st.integers(0, len(raw) - 1))
    byte = data.draw(st.integers(32, 126).filter(lambda one: one != raw[at]))
    document = raw[:at] + bytes([byte]) + raw[at + 1 :]
    assert "signature" in failed(checked(replace(evidence, document=document)))


@given(st.permutations(range(5)))
def test_the_order_of_members_says_nothing(order: list[int]) -> None:
    evidence = both()[1]
    members = list(json.decode(evidence.document).items())
    document = dict(members[at] for at in order) | dict(members[::-1])
    report = checked(replace(evidence, document=json.encode(document), receipts=None))
    assert report.valid
