"""Receipts over HTTP: issued, kept, verified by others, private to their project."""

import base64
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import rfc8785
from msgspec import json
from nacl.signing import VerifyKey

from tests.integration.server import Tenant, call, running

VECTORS = json.decode((Path(__file__).parents[1] / "vectors" / "receipts.json").read_bytes())
KEYS = "/receipts/public-keys.json"
PATH = "/api/v1/receipts/"


def post(tenant: Tenant, path: str, body: object, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.encode(body)
    sent = tenant.headers | {"Content-Type": "application/json"} | headers
    return tenant.server.http.post(path, content=content, headers=sent)


def issued(tenant: Tenant, **fields: Any) -> dict[str, Any]:
    answer = post(tenant, PATH, call(**fields))
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["receipt"])


def verdict(tenant: Tenant, receipt: object) -> dict[str, Any]:
    answer = post(tenant, PATH + "verify", receipt)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


class TestIssued:
    def test_says_what_the_call_cost_and_why(self, tenant: Tenant) -> None:
        receipt = issued(tenant, alias="fast", cached_input_tokens=100)
        assert (receipt["type"], receipt["v"], receipt["seq"]) == ("llmring.receipt", 2, 1)
        assert receipt["cost"]["status"] == "registry"
        assert {line["unit"] for line in receipt["cost"]["lines"]} == {
            *("input_uncached", "input_cache_read", "output")
        }
        assert receipt["registry"].keys() == {"version", "digest"}
        assert issued(tenant)["seq"] == 2

    def test_verifies_with_nothing_but_its_text_and_the_published_key(
        self, tenant: Tenant, tmp_path: Path
    ) -> None:
        receipt = issued(tenant)
        signature = base64.urlsafe_b64decode(
            receipt.pop("signature").removeprefix("ed25519:") + "=="
        )
        message = rfc8785.dumps(receipt)
        (key,) = [
            key for key in tenant.server.http.get(KEYS).json() if key["kid"] == receipt["key_id"]
        ]
        VerifyKey(base64.urlsafe_b64decode(key["x"] + "=")).verify(message, signature)
        files = {"message": message, "signature": signature, "key": key["public_key_pem"].encode()}
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        words = "openssl pkeyutl -verify -pubin -inkey key -rawin -in message -sigfile signature"
        subprocess.run(words.split(), cwd=tmp_path, check=True, capture_output=True)  # noqa: S603

    def test_is_issued_once_however_often_it_is_asked_for(self, tenant: Tenant) -> None:
        key = {"Idempotency-Key": "one request"}
        first, again = (post(tenant, PATH, call(), **key) for _ in range(2))
        assert first.content == again.content
        assert "Idempotency-Replayed" not in first.headers
        assert again.headers["Idempotency-Replayed"] == "true"
        other = post(tenant, PATH, call(alias="other"), **key)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency.key-reused")
        assert issued(tenant)["seq"] == first.json()["receipt"]["seq"] + 1

    def test_is_served_byte_by_byte_as_it_was_issued(self, tenant: Tenant) -> None:
        answer = post(tenant, PATH, call())
        id = answer.json()["receipt_id"]
        fetched = tenant.get(PATH + id)
        assert fetched.headers["X-Receipt-Valid"] == "true"
        assert fetched.content in answer.content
        assert tenant.get(PATH).json()["receipts"] == [fetched.json()]

    def test_belongs_to_its_project_alone(self, tenant: Tenant) -> None:
        receipt, other = issued(tenant), tenant.server.tenant()
        for path in (receipt["id"], receipt["id"] + "/proof"):
            answer = other.get(PATH + path)
            nothing = other.get(PATH + path.replace(receipt["id"], "rcpt_nothing"))
            assert (answer.status_code, answer.json()["detail"]) == (404, "Receipt not found")
            assert nothing.json()["detail"] == "Receipt not found"
        assert other.get(PATH).json()["total"] == 0

    @pytest.mark.parametrize(
        "fields", [{"input_tokens": -1}, {"input_tokens": 2**53}, {"cost": "1.0000000000001"}]
    )
    def test_is_refused_for_a_call_that_breaks_a_rule(
        self, tenant: Tenant, fields: dict[str, Any]
    ) -> None:
        assert post(tenant, PATH, call(**fields)).status_code == 422
        assert tenant.get(PATH).json()["total"] == 0

    def test_needs_a_tenant(self, tenant: Tenant) -> None:
        assert tenant.server.http.post(PATH, json=call()).status_code == 401


class TestVerify:
    def test_is_for_everybody_and_tells_a_change(self, tenant: Tenant) -> None:
        receipt = issued(tenant)
        assert verdict(tenant, receipt)["valid"] is True
        reordered = dict(sorted(receipt.items(), reverse=True))
        answer = tenant.server.http.post(PATH + "verify", json=reordered)
        assert answer.json()["valid"] is True
        changed = receipt | {"seq": 7}
        assert verdict(tenant, changed)["valid"] is False
        cheaper = receipt | {"cost": receipt["cost"] | {"amount": "0"}}
        assert "does not match" in verdict(tenant, cheaper)["reason"]

    @pytest.mark.parametrize(
        "body", [b"", b"[]", b"{", b'{"a":1,"a":2}', b'{"receipt_id":"a","total_cost":1e999}']
    )
    def test_refuses_what_says_two_things(self, tenant: Tenant, body: bytes) -> None:
        assert post(tenant, PATH + "verify", body).status_code == 422

    @pytest.mark.parametrize("vector", VECTORS["flat"][:3], ids=lambda one: one["name"])
    def test_a_receipt_of_a_stranger_is_not_valid(
        self, tenant: Tenant, vector: dict[str, Any]
    ) -> None:
        found = verdict(tenant, vector["receipt"])
        assert (found["valid"], found["receipt_id"]) == (False, vector["receipt"]["receipt_id"])


class TestHistoric:
    def test_receipts_of_an_earlier_server_are_kept_and_served(self, tmp_path: Path) -> None:
        key = VECTORS["key"]
        with running(
            tmp_path,
            receipts_private_key_b64=key["seed_b64url"],
            receipts_public_key_b64=key["public_b64url"],
            receipts_key_id=key["kid"],
        ) as server:
            tenant = server.tenant()
            for vector in (*VECTORS["flat"], *VECTORS["nested"]):
                receipt = vector["receipt"]
                assert verdict(tenant, receipt)["valid"] is True, vector["name"]
            first = VECTORS["flat"][0]["receipt"]
            for status in (200, 200):
                answer = post(tenant, PATH, {"receipt": first})
                assert (answer.status_code, answer.json()["status"]) == (status, "verified")
            other = post(tenant, PATH, {"receipt": first | {"description": "x"}})
            assert other.status_code == 409
            forged = post(tenant, PATH, {"receipt": first | {"total_cost": 0}})
            assert (forged.status_code, forged.json()["detail"]) == (
                400,
                "Invalid receipt signature",
            )
            pem = server.http.get("/receipts/public-key.pem").text
            assert pem == key["public_pem_spki"]
            jwk = server.http.get("/receipts/public-key.jwk").json()
            assert jwk.items() >= key["jwk"].items()
            assert key["seed_b64url"] not in server.said


class TestKeys:
    def test_are_the_same_in_every_form(self, tenant: Tenant) -> None:
        http = tenant.server.http
        (key, *_) = http.get(KEYS).json()
        for path in ("/api/v1/receipts/public-keys.json", "/.well-known/jwks.json"):
            found = http.get(path).json()
            assert (found["keys"][0], found["current_key_id"]) == (key, key["kid"])
        assert http.get("/receipts/public-key.jwk").json()["x"] == key["x"]
        for path in ("/receipts/public-key.pem", "/api/v1/receipts/public-key.pem"):
            assert http.get(path).text == key["public_key_pem"]

    def test_last_and_old_receipts_verify_after_the_key_file_is_replaced(
        self, tmp_path: Path
    ) -> None:
        receipts = []
        file = tmp_path / "llmring-receipts.key"
        for _ in range(3):
            with running(tmp_path) as server:
                tenant = server.tenant()
                receipts.append(issued(tenant))
                assert all(verdict(tenant, receipt)["valid"] for receipt in receipts)
                statuses = [key["status"] for key in server.http.get(KEYS).json()]
                assert statuses == ["active"] + ["retired"] * (len(receipts) - 1)
            assert file.stat().st_mode & 0o777 == 0o600
            old = file.read_bytes()
            file.unlink()
        assert len({receipt["key_id"] for receipt in receipts}) == 3
        file.write_bytes(old)
        file.chmod(0o600)
