"""What receipts for calls that are logged already promise, on every backend."""

from asyncio import to_thread
from decimal import Decimal
from hashlib import sha256

import pytest
import rfc8785
from msgspec import json
from msgspec.structs import replace
from nacl.signing import VerifyKey

from llmring_adapters.transactions.all_work import AllWork
from llmring_core.canonical import document_in
from llmring_core.ids import UsageId
from llmring_core.receipts import (
    AlreadyCertified,
    AuditReceipts,
    BadSignature,
    CannotSign,
    CertifyLogs,
    CloseKey,
    Evidence,
    FetchReceipt,
    ListCertified,
    ListReceipts,
    ListUncertified,
    LogSelector,
    LogsToCertify,
    Named,
    NoLogsFound,
    OfConversation,
    PreviewReceipt,
    ReceiptId,
    ReceiptNotFound,
    SinceLastReceipt,
    StoreReceipt,
    Verdict,
    VerifyReceipt,
    Within,
    checked,
)
from llmring_core.transactions import Begin
from llmring_core.transparency import ContinueLog
from llmring_core.usage import Period, Tokens
from tests.builders.certification import EVERY, MINUTE, certified_by, certifying, logged, several
from tests.builders.kernel import MICROSECOND, NOON, P1, P2, FakeClock, ids
from tests.builders.receipts import KEY, SIGNER, secrets, signature_in
from tests.builders.transparency import SIGNER as LOG_SIGNER
from tests.builders.usage import usage_record


@pytest.fixture(autouse=True)
async def _keys(begin: Begin[AllWork]) -> None:
    async with begin() as work:
        await work.keys.put(KEY)


@pytest.fixture
def certify(begin: Begin[AllWork]) -> CertifyLogs:
    return certifying(begin)


async def chosen(begin: Begin[AllWork], selector: LogSelector) -> list[UsageId]:
    async with begin() as work:
        found = await work.certifications.uncertified(P1, selector, 100)
        assert await work.certifications.count(P1, selector) == len(found)
    return [record.id for record in found]


class TestSelection:
    async def test_a_period_includes_its_start_and_not_its_end(self, begin: Begin[AllWork]) -> None:
        made = await several(begin, 4)
        period = Period(start=NOON + MINUTE, end=NOON + 3 * MINUTE)
        assert await chosen(begin, Within(period=period)) == made[1:3]
        later = Period(start=NOON + MINUTE + MICROSECOND, end=NOON + 3 * MINUTE + MICROSECOND)
        assert await chosen(begin, Within(period=later)) == made[2:]

    async def test_names_that_are_none_of_the_projects_are_passed_over(
        self, begin: Begin[AllWork]
    ) -> None:
        mine = await several(begin, 3)
        theirs = await logged(begin, usage_record(project=P2))
        named = Named(log_ids=(mine[2], theirs[0], UsageId(ids()()), mine[0], mine[0]))
        assert await chosen(begin, named) == [mine[0], mine[2]]

    async def test_everything_else_is_every_call_of_the_project_alone(
        self, begin: Begin[AllWork]
    ) -> None:
        (late,) = await logged(begin, usage_record(at=NOON + MINUTE, kind="cache_hit"))
        (early,) = await logged(begin, usage_record())
        await logged(begin, usage_record(project=P2))
        await logged(begin, usage_record(kind="adjustment", tokens=Tokens(), adjusts=early))
        assert await chosen(begin, SinceLastReceipt()) == [early, late]

    async def test_there_are_no_conversations_yet(self, begin: Begin[AllWork]) -> None:
        await several(begin, 1)
        assert await chosen(begin, OfConversation(conversation_id="Gespräch")) == []

    async def test_certified_calls_are_not_selected_in_any_way(
        self, begin: Begin[AllWork], certify: CertifyLogs
    ) -> None:
        made = await several(begin, 3)
        await certify(P1, LogsToCertify(selector=Named(log_ids=(made[1],))))
        period = Period(start=NOON, end=NOON + 10 * MINUTE)
        for selector in (SinceLastReceipt(), Within(period=period), Named(log_ids=tuple(made))):
            assert await chosen(begin, selector) == [made[0], made[2]]

    async def test_pages_follow_each_other(self, begin: Begin[AllWork]) -> None:
        made = await several(begin, 5)
        page, total = await ListUncertified(begin)(P1, 2, 3)
        assert ([record.id for record in page], total) == (made[3:], 5)
        assert await ListUncertified(begin)(P2, 2, 0) == ([], 0)


class TestCertified:
    async def test_a_receipt_says_what_its_calls_cost_together(
        self, begin: Begin[AllWork], certify: CertifyLogs
    ) -> None:
        made = await logged(
            begin,
            usage_record(model="a", alias="x", cost_usd=Decimal("0.1")),
            usage_record(model="b", alias=None, cost_usd=Decimal("0.2"), at=NOON + MINUTE),
            usage_record(model="a", cost_usd=None, alias="x", at=NOON + 2 * MINUTE),
        )
        wanted = LogsToCertify(selector=SinceLastReceipt(), description="d", tags=("t", "ü"))
        outcome = await certify(P1, wanted)
        receipt = json.decode(outcome.value.receipt.document)
        assert (outcome.replayed, outcome.value.count) == (False, 3)
        assert receipt["total_cost"] == 0.3
        assert (receipt["input_cost"], receipt["output_cost"]) == (0, 0)
        assert (receipt["alias"], receipt["model"]) == ("x", "batch:3 calls")
        assert (receipt["receipt_type"], receipt["tags"]) == ("batch", ["t", "ü"])
        assert receipt["timestamp"] == NOON.isoformat()
        assert (receipt["prompt_tokens"], receipt["completion_tokens"]) == (420, 183)
        summary = receipt["batch_summary"]
        assert summary["by_model"] == {
            "a": {"calls": 2, "cost": 0.1, "tokens": 402},
            "b": {"calls": 1, "cost": 0.2, "tokens": 201},
        }
        assert summary["by_alias"].keys() == {"x", "default"}
        assert (summary["start_date"], summary["log_ids"]) == (NOON.isoformat(), made)
        assert await certified_by(begin, outcome.value.receipt) == made

    async def test_one_call_makes_a_single_receipt(
        self, begin: Begin[AllWork], certify: CertifyLogs
    ) -> None:
        await logged(begin, usage_record(alias=None))
        receipt = json.decode((await certify(P1, EVERY)).value.receipt.document)
        assert (receipt["receipt_type"], receipt["alias"]) == ("single", "default")
        assert receipt["model"] == usage_record().model

    async def test_a_corrected_call_costs_what_it_was_corrected_to(
        self, begin: Begin[AllWork], certify: CertifyLogs
    ) -> None:
        (call,) = await logged(begin, usage_record(cost_usd=Decimal(1)))
        for change in ("-0.75", "0.5"):
            cost = Decimal(change)
            await logged(begin, usage_record(kind="adjustment", adjusts=call, cost_usd=cost))
        ((listed,), _) = await ListUncertified(begin)(P1, 1, 0)
        stored = (await certify(P1, EVERY)).value.receipt
        ((certified,), _) = await ListCertified(begin)(P1, stored.id, 1, 0)
        assert listed == certified
        assert (listed.cost_usd, listed.cost_status) == (Decimal("0.75"), "repriced")
        assert json.decode(stored.document)["total_cost"] == 0.75

    async def test_it_is_stored_logged_and_valid_in_full(
        self, begin: Begin[AllWork], certify: CertifyLogs
    ) -> None:
        await several(begin, 2)
        stored = (await certify(P1, EVERY)).value.receipt
        found, verdict = await FetchReceipt(begin)(P1, stored.id)
        await ContinueLog(begin, begin, LOG_SIGNER)()
        assert (found, verdict.valid, verdict.full) == (stored, True, True)
        assert [page async for page in AuditReceipts(begin)()] == [(1, [])]
        assert await ListReceipts(begin)(P1, 10, 0) == ([stored], 1)

    async def test_both_signatures_hold_by_an_independent_computation(
        self, begin: Begin[AllWork], certify: CertifyLogs
    ) -> None:
        await several(begin, 2)
        stored = (await certify(P1, EVERY)).value.receipt
        receipt = json.decode(stored.document)
        content = {
            name: receipt.pop(name)
            for name in ("receipt_type", "batch_summary", "description", "tags")
        }
        first, second = (signature_in(receipt.pop(n)) for n in ("signature", "signature_v2"))
        assert receipt["content_digest"] == sha256(rfc8785.dumps(content)).hexdigest()
        key = VerifyKey(SIGNER.public_key)
        key.verify(rfc8785.dumps(receipt), second)
        del receipt["content_digest"], receipt["key_id"]
        assert len(receipt) == 13
        key.verify(rfc8785.dumps(receipt), first)

    async def test_a_changed_content_is_valid_but_not_in_full(
        self, begin: Begin[AllWork], certify: CertifyLogs
    ) -> None:
        await several(begin, 2)
        document = document_in((await certify(P1, EVERY)).value.receipt.document.encode())
        store = StoreReceipt(begin, FakeClock(), ids(9), secrets())

        async def verify(document: dict[str, object]) -> Verdict:
            _, verdict = await VerifyReceipt(begin, to_thread)(json.encode(document))
            return verdict

        for change in ({"tags": ["x"]}, {"content_digest": "0"}, {"signature_v2": None}):
            verdict = await verify(document | change)
            assert (verdict.valid, verdict.full) == (True, False)
            with pytest.raises(BadSignature):
                await store(P2, json.encode(document | change))
        await CloseKey(begin, FakeClock())(KEY.id, revoke=True)
        verdict = await verify(document)
        assert (verdict.valid, verdict.full) == (False, False)
        async with begin() as work:
            await work.keys.put(KEY)
        bare = {name: document[name] for name in document if name != "signature_v2"}
        assert (await verify(bare | {"tags": ["x"]})).full is None

    async def test_whoever_checks_what_is_stored_finds_a_changed_content(
        self, begin: Begin[AllWork], certify: CertifyLogs
    ) -> None:
        await several(begin, 2)
        stored = (await certify(P1, EVERY)).value.receipt
        loose = (stored.loose or "").replace('"tags":null', '"tags":["x"]')
        changed = replace(stored, id=ReceiptId("changed"), loose=loose)
        async with begin() as work:
            await work.receipts.add(P1, [changed])
        ((_, (finding,)),) = [page async for page in AuditReceipts(begin)()]
        assert (finding.receipt, finding.wrong) == (
            "changed",
            "its content is not what was signed",
        )
        reports = [
            checked(Evidence(document=one.document.encode(), keys=[KEY]))
            for one in (stored, changed)
        ]
        assert [report.valid for report in reports] == [True, False]

    async def test_it_may_be_stored_again_however_it_is_written(
        self, begin: Begin[AllWork], certify: CertifyLogs
    ) -> None:
        await several(begin, 2)
        stored = (await certify(P1, EVERY)).value.receipt
        store = StoreReceipt(begin, FakeClock(), ids(9), secrets())
        shuffled = json.encode(dict(reversed(json.decode(stored.document).items())))
        assert await store(P1, shuffled) == stored
        assert (await store(P2, shuffled)).document == stored.document

    async def test_a_call_is_certified_once(
        self, begin: Begin[AllWork], certify: CertifyLogs
    ) -> None:
        made = await several(begin, 3)
        first = await certify(P1, LogsToCertify(selector=Named(log_ids=(made[0],))))
        second = await certify(P1, EVERY)
        assert await certified_by(begin, first.value.receipt) == made[:1]
        assert await certified_by(begin, second.value.receipt) == made[1:]
        with pytest.raises(NoLogsFound):
            await certify(P1, EVERY)
        with pytest.raises(AlreadyCertified):
            async with begin() as work:
                await work.certifications.add(P1, {ReceiptId("another"): [made[2]]})
        async with begin() as work:  # the same name in another project is another call
            await work.certifications.add(P2, {ReceiptId("another"): [made[2]]})

    async def test_whoever_fails_certifies_nothing(
        self, begin: Begin[AllWork], certify: CertifyLogs
    ) -> None:
        await several(begin, 2)
        await CloseKey(begin, FakeClock())(KEY.id, revoke=False)
        with pytest.raises(CannotSign):
            await certify(P1, EVERY, "key")
        assert (await ListUncertified(begin)(P1, 10, 0))[1] == 2
        async with begin() as work:
            await work.keys.put(KEY)
        assert not (await certify(P1, EVERY, "key")).replayed

    async def test_it_is_private_to_its_project(
        self, begin: Begin[AllWork], certify: CertifyLogs
    ) -> None:
        made = await several(begin, 2)
        for selector in (SinceLastReceipt(), Named(log_ids=tuple(made))):
            with pytest.raises(NoLogsFound):
                await certify(P2, LogsToCertify(selector=selector))
            assert await PreviewReceipt(begin)(P2, selector) is None
        stored = (await certify(P1, EVERY)).value.receipt
        with pytest.raises(ReceiptNotFound):
            await ListCertified(begin)(P2, stored.id, 10, 0)
