"""What receipts promise, on every backend."""

import asyncio
from asyncio import to_thread
from pathlib import Path
from typing import Any

import pytest
from msgspec import json
from msgspec.structs import replace

from llmring_adapters.receipts.local_key import LocalReceiptKey
from llmring_adapters.transactions.all_work import AllWork
from llmring_core.canonical import document_in
from llmring_core.ids import ProjectId
from llmring_core.receipts import (
    AdoptKey,
    AuditReceipts,
    BadKey,
    BadSignature,
    CannotSign,
    CloseKey,
    DuplicateReceipt,
    ExportReceipts,
    FetchReceipt,
    KeyId,
    KeyNotFound,
    ListKeys,
    ListReceipts,
    ProveReceipt,
    PublicKey,
    ReceiptId,
    ReceiptNotFound,
    StoredReceipt,
    StoreReceipt,
    VerifyReceipt,
)
from llmring_core.receipts.use_cases import LONG
from llmring_core.transactions import Begin
from llmring_core.transparency import (
    RECEIPT,
    ContinueLog,
    check_inclusion,
    commitment_to,
    verified_checkpoint,
)
from tests.builders.kernel import MICROSECOND, NOON, P1, P2, FakeClock, ids
from tests.builders.receipts import KEY, SEED, SIGNER, Issue, issuing, secrets
from tests.builders.transparency import SIGNER as LOG_SIGNER

VECTORS = json.decode((Path(__file__).parents[1] / "vectors" / "receipts.json").read_bytes())
HISTORIC_KEY = PublicKey(
    id=VECTORS["key"]["kid"],
    raw=bytes.fromhex(VECTORS["key"]["public_hex"]),
    not_before=NOON,
    retired_at=None,
    revoked_at=None,
)
BATCH = next(one["receipt"] for one in VECTORS["flat"] if one["name"] == "captured_batch")
NESTED = VECTORS["nested"][0]["receipt"]


@pytest.fixture(autouse=True)
async def _keys(begin: Begin[AllWork]) -> None:
    async with begin() as work:
        await work.keys.put(KEY)
        await work.keys.put(HISTORIC_KEY)


@pytest.fixture
def issue(begin: Begin[AllWork]) -> Issue:
    return issuing(begin)


@pytest.fixture
def store(begin: Begin[AllWork]) -> StoreReceipt:
    return StoreReceipt(begin, FakeClock(), ids(), secrets())


def sequence(receipts: list[StoredReceipt]) -> list[int]:
    return sorted(receipt.seq or 0 for receipt in receipts)


class TestIssued:
    async def test_a_receipt_is_served_as_it_was_signed(
        self, begin: Begin[AllWork], issue: Issue
    ) -> None:
        stored = await issue(P1)
        found, verdict = await FetchReceipt(begin)(P1, stored.id)
        assert found == stored
        assert verdict.valid
        document = document_in(found.document.encode())
        assert document.pop("signature") == stored.signature
        assert json.encode(document, order="sorted").decode() == stored.body

    async def test_numbers_have_no_gap_however_many_come_at_once(self, issue: Issue) -> None:
        mine = await asyncio.gather(*(issue(P1) for _ in range(40)))
        theirs = await asyncio.gather(*(issue(P2) for _ in range(3)))
        assert sequence(mine) == list(range(1, 41))
        assert sequence(theirs) == [1, 2, 3]

    async def test_whoever_fails_takes_no_number(self, begin: Begin[AllWork], issue: Issue) -> None:
        await issue(P1)
        with pytest.raises(RuntimeError):
            async with begin() as work:
                assert await work.receipts.take_numbers(P1, 5, NOON) == (2, NOON)
                raise RuntimeError
        assert (await issue(P1)).seq == 2

    async def test_a_receipt_is_private_to_its_project(
        self, begin: Begin[AllWork], issue: Issue
    ) -> None:
        stored = await issue(P1)
        with pytest.raises(ReceiptNotFound):
            await FetchReceipt(begin)(P2, stored.id)
        assert await ListReceipts(begin)(P2, 10, 0) == ([], 0)

    async def test_receipts_are_listed_newest_first(
        self, begin: Begin[AllWork], issue: Issue
    ) -> None:
        issued = [await issue(P1) for _ in range(5)]
        page, total = await ListReceipts(begin)(P1, 2, 1)
        assert total == 5
        assert {one.id for one in page} < {one.id for one in issued}
        assert len(page) == 2

    async def test_all_of_them_are_exported_page_by_page(
        self, begin: Begin[AllWork], issue: Issue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("llmring_core.receipts.use_cases.READ_TOGETHER", 2)
        issued = [await issue(P1) for _ in range(4)]
        await issue(P2)
        pages = [page async for page in ExportReceipts(begin)(P1)]
        assert [one for page in pages for one in page] == issued
        assert [len(page) for page in pages] == [2, 2, 0]
        assert [page async for page in ExportReceipts(begin)(ProjectId("nobody"))] == [[]]

    async def test_a_receipt_can_be_proved_once_the_log_has_it(
        self, begin: Begin[AllWork], issue: Issue
    ) -> None:
        stored = [await issue(P1) for _ in range(3)][1]
        await ContinueLog(begin, begin, LOG_SIGNER)()
        proof = await ProveReceipt(begin)(P1, stored.id)
        verified_checkpoint(proof.checkpoint, LOG_SIGNER.key)
        check_inclusion(proof, commitment_to(RECEIPT, proof.salt, stored.document.encode()))
        with pytest.raises(ReceiptNotFound):
            await ProveReceipt(begin)(P2, stored.id)


class TestStored:
    @pytest.mark.parametrize("receipt", [BATCH, NESTED], ids=["flat", "nested"])
    async def test_a_historic_receipt_is_kept_whole(
        self, begin: Begin[AllWork], store: StoreReceipt, receipt: dict[str, Any]
    ) -> None:
        stored = await store(P1, json.encode(receipt))
        found, verdict = await FetchReceipt(begin)(P1, stored.id)
        served = json.decode(found.document)
        if "receipt_id" in receipt:  # its time is served as it was signed
            served["timestamp"] = receipt["timestamp"]
        assert served == receipt
        assert verdict.valid

    async def test_the_same_again_is_the_same(self, store: StoreReceipt) -> None:
        first = await store(P1, json.encode(BATCH))
        assert await store(P1, json.encode(dict(reversed(BATCH.items())))) == first

    async def test_another_content_under_its_id_is_refused(self, store: StoreReceipt) -> None:
        await store(P1, json.encode(BATCH))
        with pytest.raises(DuplicateReceipt):
            await store(P1, json.encode(BATCH | {"description": "another"}))
        await store(P2, json.encode(BATCH | {"description": "another"}))

    async def test_what_none_of_our_keys_signed_is_refused(
        self, begin: Begin[AllWork], store: StoreReceipt
    ) -> None:
        with pytest.raises(BadSignature):
            await store(P1, json.encode(BATCH | {"total_cost": 1}))
        assert await ListReceipts(begin)(P1, 10, 0) == ([], 0)


class TestAudit:
    async def test_finds_nothing_wrong_with_what_was_issued_and_stored(
        self, begin: Begin[AllWork], issue: Issue, store: StoreReceipt
    ) -> None:
        await issue(P1)
        await store(P2, json.encode(BATCH))
        await ContinueLog(begin, begin, LOG_SIGNER)()
        await issue(P2)  # still waits for its place
        assert [page async for page in AuditReceipts(begin)()] == [(3, [])]

    async def test_finds_what_was_changed_or_is_not_in_the_log(
        self, begin: Begin[AllWork], issue: Issue
    ) -> None:
        stored = await issue(P1)
        changed = replace(
            stored, id=ReceiptId("changed"), seq=2, body=stored.body.replace('"seq":1', '"seq":2')
        )
        unlogged = replace(stored, id=ReceiptId("unlogged"), seq=3, leaf=ids()())
        async with begin() as work:
            await work.receipts.add(P1, [changed, unlogged])
        ((looked_at, findings),) = [page async for page in AuditReceipts(begin)()]
        assert looked_at == 3
        assert {finding.receipt: finding.wrong for finding in findings} == {
            "changed": "the signature does not match the receipt",
            "unlogged": "the log has no entry for it",
        }


class TestKeys:
    async def test_a_retired_key_still_verifies(self, begin: Begin[AllWork], issue: Issue) -> None:
        stored = await issue(P1)
        async with begin() as work:
            await work.keys.put(replace(KEY, retired_at=NOON))
        _, verdict = await VerifyReceipt(begin, to_thread)(stored.document.encode())
        assert (verdict.valid, verdict.key_id) == (True, KEY.id)

    async def test_a_revoked_key_counts_for_what_it_signed_before(
        self, begin: Begin[AllWork], issue: Issue
    ) -> None:
        stored = await issue(P1)
        text = stored.document.encode() + b" " * LONG  # long ones are checked in a thread
        for revoked_at, valid in (
            (stored.stored_at, False),
            (stored.stored_at + MICROSECOND, True),
        ):
            async with begin() as work:
                await work.keys.put(replace(KEY, revoked_at=revoked_at))
            _, verdict = await VerifyReceipt(begin, to_thread)(text)
            assert verdict.valid is valid
            assert (verdict.reason is None) is valid

    @pytest.mark.parametrize("revoke", [False, True])
    async def test_a_closed_key_signs_nothing_any_more(
        self, begin: Begin[AllWork], issue: Issue, revoke: bool
    ) -> None:
        closed = await CloseKey(begin, FakeClock())(KEY.id, revoke=revoke)
        assert closed.status == ("revoked" if revoke else "retired")
        with pytest.raises(CannotSign):
            await issue(P1)
        with pytest.raises(BadKey):
            await AdoptKey(begin, SIGNER, FakeClock())()
        assert await ListReceipts(begin)(P1, 10, 0) == ([], 0)

    async def test_a_new_key_retires_those_before_it(self, begin: Begin[AllWork]) -> None:
        new = LocalReceiptKey(bytes(range(1, 33)))
        await AdoptKey(begin, new, FakeClock())()
        await AdoptKey(begin, new, FakeClock())()
        statuses = {key.id: key.status for key in await ListKeys(begin)()}
        assert statuses == {KEY.id: "retired", HISTORIC_KEY.id: "retired", new.key_id: "active"}

    async def test_a_name_stays_with_its_key(self, begin: Begin[AllWork]) -> None:
        other = LocalReceiptKey(bytes(range(1, 33)), key_id=KEY.id)
        with pytest.raises(BadKey):
            await AdoptKey(begin, other, FakeClock())()

    async def test_a_key_nobody_knows_cannot_be_closed(self, begin: Begin[AllWork]) -> None:
        with pytest.raises(KeyNotFound):
            await CloseKey(begin, FakeClock())(KeyId("nobody"), revoke=True)

    async def test_every_key_is_kept(self, begin: Begin[AllWork]) -> None:
        async with begin() as work:
            assert {key.id for key in await work.keys.all()} == {KEY.id, HISTORIC_KEY.id}
            assert SEED not in [key.raw for key in await work.keys.all()]
