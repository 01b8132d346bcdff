"""``POST /api/v1/receipts/issue``: a receipt for a call that its caller states, not kept."""

from typing import Any

import pytest
import rfc8785
from nacl.signing import VerifyKey

from tests.builders.receipts import signature_in
from tests.integration.server import Tenant
from tests.integration.test_wire_receipts import KEYS, PATH, post, verdict

FLAT = {
    "alias": "fäst",
    "provider": "openai",
    "model": "gpt-4.1",
    "prompt_tokens": 1000,
    "completion_tokens": 200,
    "total_tokens": 1200,
    "input_cost": 0.002,
    "output_cost": 0.0016,
    "total_cost": 0.0036000000000000003,  # as a client's floats have it
}
NESTED = {
    "model": "openai:gpt-4.1",
    "alias": "fast",
    "lock_digest": "sha256:abc",
    "tokens": {"input": 1000, "output": 200, "cached_input": 0},
    "cost": {"amount": "0.0036", "calculation": "somehow"},
}


def issued(tenant: Tenant, body: dict[str, Any]) -> dict[str, Any]:
    answer = post(tenant, PATH + "issue", body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return dict(answer.json())


def check(tenant: Tenant, receipt: dict[str, Any], members: dict[str, Any]) -> None:
    """Verify ``members`` by themselves, with the key that is published."""
    key = tenant.server.http.get(KEYS).json()[0]
    public = signature_in(key["x"])[:32]
    VerifyKey(public).verify(rfc8785.dumps(members), signature_in(receipt["signature"]))


class TestFlat:
    def test_is_filled_in_priced_and_signed_and_not_kept(self, anyone: Tenant) -> None:
        receipt = issued(anyone, FLAT | {"signature": "ed25519:forged", "more": 1})
        assert receipt.items() >= (FLAT | {"total_cost": 0.0036}).items()
        assert (receipt["profile"], receipt["lock_digest"]) == ("default", "")
        assert len(receipt["receipt_id"]) == len("rcpt_0123456789abcdef")
        assert receipt["timestamp"].endswith("+00:00")
        thirteen = {name: receipt[name] for name in list(receipt)[:13]}
        assert "signature" not in thirteen and "total_tokens" in thirteen
        check(anyone, receipt, thirteen)
        assert verdict(anyone, receipt).items() >= {"valid": True, "full": True}.items()
        assert anyone.get(PATH).json()["total"] == 0

    @pytest.mark.parametrize(
        ("sent", "signed"),
        [
            ("2026-11-20T21:56:51.418002Z", "2026-11-20T21:56:51.418002+00:00"),
            ("2026-11-20T21:56:51.000Z", "2026-11-20T21:56:51+00:00"),
            ("2026-11-20T21:56:51+02:00", "2026-11-20T21:56:51+02:00"),
            ("2026-11-20T21:56:51", "2026-11-20T21:56:51"),
        ],
    )
    def test_states_its_time_as_it_is_signed(self, anyone: Tenant, sent: str, signed: str) -> None:
        named = {"receipt_id": "mine", "profile": "prod", "lock_digest": "sha256:x"}
        receipt = issued(anyone, FLAT | named | {"timestamp": sent})
        assert receipt.items() >= (named | {"timestamp": signed}).items()
        assert verdict(anyone, receipt | {"timestamp": sent})["valid"] is True

    def test_costs_need_not_be_stated(self, anyone: Tenant) -> None:
        unstated = {name: FLAT[name] for name in FLAT if "cost" not in name}
        receipt = issued(anyone, unstated | {"total_cost": None})
        assert (receipt["input_cost"], receipt["output_cost"]) == (0.002, 0.0016)

    def test_may_be_kept_afterwards(self, anyone: Tenant) -> None:
        receipt = issued(anyone, FLAT)
        for _ in range(2):
            assert post(anyone, PATH, {"receipt": receipt}).status_code == 200
        assert anyone.get(PATH + receipt["receipt_id"]).json() == receipt
        changed = receipt | {"tags": ["x"]}
        assert post(anyone, PATH, {"receipt": changed}).status_code == 400

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("input_cost", 0.0020001),
            ("output_cost", 999),
            ("total_cost", 0),
            ("total_cost", -1),
            ("total_cost", True),
            ("total_cost", "much"),
            ("total_tokens", 1),
            ("prompt_tokens", -1),
            ("prompt_tokens", 2**53),
            ("completion_tokens", None),
            ("model", "nobody-knows-it"),
            ("provider", 7),
            ("alias", None),
            ("alias", "x" * 256),
            ("receipt_id", ""),
            ("receipt_id", "x" * 256),
            ("lock_digest", "\0"),
            ("timestamp", "yesterday"),
        ],
    )
    def test_what_is_wrong_is_named_and_not_signed(
        self, anyone: Tenant, field: str, value: object
    ) -> None:
        answer = post(anyone, PATH + "issue", FLAT | {field: value})
        assert answer.status_code == 422, answer.text
        assert answer.json()["detail"][0]["loc"] == ["body", field]
        assert "signature" not in answer.text

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b"{}", b'{"tokens":1,"tokens":2}'])
    def test_what_is_no_receipt_is_refused(self, anyone: Tenant, body: bytes) -> None:
        assert post(anyone, PATH + "issue/", body).status_code == 422


class TestNested:
    def test_is_filled_in_priced_and_signed(self, anyone: Tenant) -> None:
        receipt = issued(anyone, NESTED)
        assert receipt["cost"] == {
            "amount": "0.0036",
            "calculation": "1000/1000000*2 + 200/1000000*8",
        }
        assert receipt["timestamp"].endswith("Z")
        assert receipt.keys() == {
            *("id", "timestamp", "registry_version", "model", "alias", "profile", "lock_digest"),
            *("key_id", "tokens", "cost", "signature"),
        }
        members = {name: receipt[name] for name in receipt if name != "signature"}
        check(anyone, receipt, members)
        assert verdict(anyone, receipt).items() >= {"valid": True, "full": None}.items()
        again = issued(anyone, receipt)
        assert again == receipt
        assert anyone.get(PATH).json()["total"] == 0

    @pytest.mark.parametrize(
        ("field", "value", "named"),
        [
            ("cost", {"amount": "999", "calculation": "x"}, "cost.amount"),
            ("cost", {"amount": "a lot"}, "cost.amount"),
            ("cost", 1, "cost"),
            ("tokens", {"input": 1}, "tokens"),
            ("tokens", {"input": 1, "output": 1, "cached_input": 2}, "tokens"),
            ("model", "gpt-4.1", "model"),
            ("model", "openai:nobody-knows-it", "model"),
            ("key_id", "another", "key_id"),
            ("registry_version", "1", "registry_version"),
            ("id", "", "id"),
            ("lock_digest", None, "lock_digest"),
        ],
    )
    def test_what_is_wrong_is_named_and_not_signed(
        self, anyone: Tenant, field: str, value: object, named: str
    ) -> None:
        answer = post(anyone, PATH + "issue", NESTED | {field: value})
        assert answer.status_code == 422, answer.text
        assert answer.json()["detail"][0]["loc"] == ["body", named]
