"""Receipts for calls that are logged already, over HTTP, as clients of the flat era ask."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import rfc8785
from nacl.signing import VerifyKey

from tests.builders.receipts import signature_in
from tests.integration.server import Tenant
from tests.integration.test_wire_receipts import KEYS, PATH, post, verdict

EVERY = {"since_last_receipt": True}
SIGNED = 13


def generate(tenant: Tenant, body: object = EVERY, **headers: str) -> httpx.Response:
    return post(tenant, PATH + "generate", body, **headers)


def generated(tenant: Tenant, **body: Any) -> dict[str, Any]:
    answer = generate(tenant, body or EVERY)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def uncertified(tenant: Tenant, query: str = "") -> dict[str, Any]:
    answer = tenant.get(f"{PATH}uncertified?{query}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def logged(tenant: Tenant, count: int = 2) -> list[str]:
    """Log calls that cost a dollar and a bit each."""
    calls = [tenant.log(cost="1.000000000001", alias="fast") for _ in range(count)]
    return [one["log_id"] for one in calls]


class TestGenerate:
    def test_answers_as_the_flat_era_did(self, tenant: Tenant) -> None:
        ids = logged(tenant)
        answer = generated(tenant, **EVERY, description="Woche ✓", tags=["x"])
        receipt, summary = answer["receipt"], answer["receipt"]["batch_summary"]
        assert answer["certified_count"] == 2
        assert receipt.keys() == {
            *("receipt_id", "timestamp", "alias", "profile", "lock_digest", "provider", "model"),
            *("prompt_tokens", "completion_tokens", "total_tokens"),
            *("input_cost", "output_cost", "total_cost", "signature"),
            *("receipt_type", "batch_summary", "description", "tags"),
            *("key_id", "content_digest", "signature_v2"),
        }
        assert len(receipt["receipt_id"]) == len("rcpt_0123456789abcdef")
        assert receipt["timestamp"].endswith("+00:00")
        assert (receipt["model"], receipt["total_cost"]) == ("batch:2 calls", 2.000000000002)
        assert (receipt["description"], receipt["tags"]) == ("Woche ✓", ["x"])
        totals = {"calls": 2, "cost": 2.000000000002, "tokens": 2400}
        assert summary.pop("start_date") < summary.pop("end_date")
        assert summary == {
            "total_conversations": 0,
            "total_calls": 2,
            "total_tokens": 2400,
            "total_cost": 2.000000000002,
            "by_model": {"gpt-4.1": totals},
            "by_alias": {"fast": totals},
            "conversation_ids": [],
            "log_ids": ids,
        }

    def test_verifies_with_nothing_but_its_members_and_the_published_key(
        self, tenant: Tenant
    ) -> None:
        logged(tenant)
        receipt = generated(tenant)["receipt"]
        assert verdict(tenant, receipt).items() >= {"valid": True, "full": True}.items()
        changed = verdict(tenant, receipt | {"description": "another"})
        assert (changed["valid"], changed["full"]) == (True, False)
        for change in ({"total_cost": 0}, {"key_id": "another"}, {"alias": None}):
            refused = verdict(tenant, receipt | change)
            assert (refused["valid"], refused["full"]) == (False, False)
        (key,) = (
            key for key in tenant.server.http.get(KEYS).json() if key["kid"] == receipt["key_id"]
        )
        signature = signature_in(receipt.pop("signature"))
        for name in ("receipt_type", "batch_summary", "description", "tags"):
            del receipt[name]
        for name in ("key_id", "content_digest", "signature_v2"):
            del receipt[name]
        assert len(receipt) == SIGNED
        public = signature_in(key["x"])[:32]
        VerifyKey(public).verify(rfc8785.dumps(receipt), signature)

    def test_is_fetched_and_listed_whole(self, tenant: Tenant) -> None:
        logged(tenant)
        receipt = generated(tenant)["receipt"]
        for path in (PATH + receipt["receipt_id"], f"{PATH}{receipt['receipt_id']}/"):
            fetched = tenant.get(path)
            assert (fetched.json(), fetched.headers["x-receipt-valid"]) == (receipt, "true")
        assert tenant.get(PATH).json()["receipts"] == [receipt]

    @pytest.mark.parametrize("way", ["log_ids", "dates", "days", "since"])
    def test_selects_in_every_way_and_each_log_once(self, tenant: Tenant, way: str) -> None:
        ids = logged(tenant, 3)
        ways: dict[str, dict[str, Any]] = {
            "log_ids": {"log_ids": [ids[0].upper(), ids[1], ids[2]]},
            "dates": {
                "start_date": "2020-01-01T00:00:00Z",
                "end_date": "2199-01-01T00:00:00+02:00",
            },
            "days": {"start_date": "2020-01-01", "end_date": "2199-01-01", "log_ids": []},
            "since": EVERY | {"start_date": "2020-01-01", "conversation_id": None, "tags": None},
        }
        answer = generated(tenant, **ways[way])
        assert answer["receipt"]["batch_summary"]["log_ids"] == ids
        assert uncertified(tenant)["total"] == 0
        again = generate(tenant, ways[way])
        assert (again.status_code, again.json()["detail"]) == (
            400,
            "No logs found matching the criteria",
        )

    def test_the_first_selector_given_counts(self, tenant: Tenant) -> None:
        (id, *_) = logged(tenant, 3)
        nothing = "00000000-0000-4000-8000-000000000000"
        assert generate(tenant, EVERY | {"conversation_id": nothing}).status_code == 400
        past = {"start_date": "2020-01-01", "end_date": "2020-01-02"}
        assert generate(tenant, EVERY | past).status_code == 400
        assert generated(tenant, **EVERY, log_ids=[id])["certified_count"] == 1

    @pytest.mark.parametrize("path", ["generate", "preview"])
    @pytest.mark.parametrize(
        "body", [{}, {"since_last_receipt": False}, {"start_date": "2020-01-01"}, {"log_ids": []}]
    )
    def test_a_request_without_a_selector_is_refused(
        self, anyone: Tenant, path: str, body: dict[str, Any]
    ) -> None:
        answer = post(anyone, PATH + path, body)
        said = "Must specify one of: conversation_id, date range, log_ids, or since_last_receipt"
        assert (answer.status_code, answer.json()["detail"]) == (400, said)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("log_ids", ["x"]),
            ("log_ids", ["00000000-0000-4000-8000-000000000000"] * 10_001),
            ("log_ids", "x"),
            ("conversation_id", "x"),
            ("since_last_receipt", "perhaps"),
            ("start_date", "yesterday"),
            ("start_date", "2026-01-01"),
            ("end_date", "0001-01-01T00:00:00+23:00"),
            ("description", "x" * 1001),
            ("description", "\0"),
            ("tags", ["x"] * 51),
            ("tags", ["x" * 256]),
            ("tags", [1]),
        ],
    )
    def test_what_breaks_a_rule_is_refused_by_its_name(
        self, anyone: Tenant, field: str, value: object
    ) -> None:
        logged(anyone, 1)
        period = {"start_date": "2020-01-01", "end_date": "2020-01-02"}
        body = (period if field.endswith("date") else EVERY) | {field: value}
        answer = generate(anyone, body)
        assert answer.status_code == 422, answer.text
        assert answer.json()["detail"][0]["loc"] == ["body", field]
        assert uncertified(anyone)["total"] == 1

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"tags":1,"tags":2}', b"\xff"])
    def test_what_is_no_body_is_refused(self, anyone: Tenant, body: bytes) -> None:
        assert generate(anyone, body).status_code == 422

    def test_the_same_request_with_one_key_is_one(self, tenant: Tenant) -> None:
        logged(tenant)
        key = {"Idempotency-Key": "week 47"}
        first, again = (generate(tenant, EVERY, **key) for _ in range(2))
        assert first.status_code == again.status_code == 200
        assert first.content == again.content
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        other = generate(tenant, EVERY | {"description": "x"}, **key)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency.key-reused")
        assert generate(tenant, EVERY, **{"Idempotency-Key": "x" * 256}).status_code == 400
        theirs = tenant.server.tenant()
        logged(theirs, 1)
        assert "idempotency-replayed" not in generate(theirs, EVERY, **key).headers

    def test_of_many_at_once_one_gets_the_logs(self, tenant: Tenant) -> None:
        ids = logged(tenant, 3)
        with ThreadPoolExecutor(20) as threads:
            answers = list(threads.map(lambda _: generate(tenant), range(20)))
        assert sorted(answer.status_code for answer in answers) == [200] + [400] * 19
        assert tenant.get(PATH).json()["total"] == 1
        receipt = tenant.get(PATH).json()["receipts"][0]
        assert receipt["batch_summary"]["log_ids"] == ids


class TestPreview:
    def test_says_what_a_receipt_would_say_and_makes_none(self, tenant: Tenant) -> None:
        nothing = post(tenant, PATH + "preview", EVERY)
        assert nothing.json() == {
            "total_logs": 0,
            "total_tokens": 0,
            "total_cost": 0.0,
            "message": "No logs found matching the criteria",
        }
        logged(tenant)
        first, second = (post(tenant, PATH + "preview/", EVERY) for _ in range(2))
        assert first.status_code == 200 and first.json() == second.json()
        summary = generated(tenant)["receipt"]["batch_summary"]
        assert first.json() == {
            "total_logs": 2,
            "receipt_type": "batch",
            **{name: summary[name] for name in ("total_conversations", "total_tokens")},
            **{name: summary[name] for name in ("total_cost", "start_date", "end_date")},
            **{name: summary[name] for name in ("by_model", "by_alias")},
        }


class TestLists:
    def test_uncertified_logs_are_listed_until_they_have_a_receipt(self, tenant: Tenant) -> None:
        (id,) = logged(tenant, 1)
        tenant.log(provider="nobody", model="unknown")
        page = uncertified(tenant, "limit=1")
        assert (page["total"], page["limit"], page["offset"]) == (2, 1, 0)
        (log,) = page["logs"]
        assert log.pop("timestamp").endswith("+00:00")
        assert log == {
            "id": id,
            "type": "usage",
            "alias": "fast",
            "provider": "openai",
            "model": "gpt-4.1",
            "input_tokens": 1000,
            "output_tokens": 200,
            "cost": 1.000000000001,
        }
        (unpriced,) = uncertified(tenant, "offset=1")["logs"]
        assert (unpriced["alias"], "cost" in unpriced) == ("default", False)
        generated(tenant)
        assert uncertified(tenant) == {"logs": [], "total": 0, "limit": 100, "offset": 0}

    def test_the_logs_of_a_receipt_are_the_rows_of_the_ledger(self, tenant: Tenant) -> None:
        ids = logged(tenant, 3)
        id = generated(tenant)["receipt"]["receipt_id"]
        page = tenant.get(f"{PATH}{id}/logs?limit=2&offset=1").json()
        assert (page["receipt_id"], page["total"]) == (id, 3)
        assert (page["limit"], page["offset"]) == (2, 1)
        rows = {row["id"]: row | {"type": "usage"} for row in tenant.logs()}
        assert page["logs"] == [rows[id] for id in ids[1:]]

    @pytest.mark.parametrize("path", ["uncertified", "x/logs"])
    @pytest.mark.parametrize("query", ["limit=0", "limit=1001", "offset=-1", "limit=x"])
    def test_a_page_has_bounds(self, anyone: Tenant, path: str, query: str) -> None:
        answer = anyone.get(f"{PATH}{path}?{query}")
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["query", query.partition("=")[0]]


class TestTenancy:
    def test_nobody_sees_or_certifies_anothers_logs(self, tenant: Tenant) -> None:
        ids = logged(tenant)
        other = tenant.server.tenant()
        period = {"start_date": "2020-01-01", "end_date": "2199-01-01"}
        for body in (EVERY, {"log_ids": ids}, period):
            assert generate(other, body).json()["detail"] == "No logs found matching the criteria"
            assert post(other, PATH + "preview", body).json()["total_logs"] == 0
        assert uncertified(other)["logs"] == []
        id = generated(tenant, log_ids=ids)["receipt"]["receipt_id"]
        for name in (id, "rcpt_nothing"):
            answer = other.get(f"{PATH}{name}/logs")
            said = "Receipt not found or access denied"
            assert (answer.status_code, answer.json()["detail"]) == (404, said)

    def test_every_one_of_these_needs_a_key(self, anyone: Tenant) -> None:
        http = anyone.server.http
        for path in ("generate", "preview", "issue"):
            assert http.post(PATH + path, json=EVERY).status_code == 401
        for path in ("uncertified", "x/logs"):
            assert http.get(PATH + path).status_code == 401
