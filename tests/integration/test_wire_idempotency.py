"""``Idempotency-Key``: the same call sent twice is one row and one answer, byte for byte."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from msgspec import json

from tests.integration.server import NO_TLS, Tenant, call, raw, raw_request

KEY = "Idempotency-Key"


def test_the_same_call_twice_is_one_row_and_one_answer(tenant: Tenant) -> None:
    first = tenant.post(call(), Idempotency_Key="k-1")
    second = tenant.post(call(), Idempotency_Key="k-1")

    assert (first.status_code, second.status_code) == (200, 200)
    assert second.content == first.content
    assert second.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert len(tenant.logs()) == tenant.stats()["summary"]["total_requests"] == 1


def test_the_same_call_is_the_same_however_it_is_spelt(tenant: Tenant) -> None:
    body = {"cost": 1, **call(), "unknown": "member"}
    first = tenant.post(body, Idempotency_Key="k")
    backwards = dict(reversed(body.items())) | {"cost": 1.0, "input_tokens": "1000", "alias": None}
    spaced = json.format(json.encode(backwards), indent=4)

    assert tenant.post(spaced, Idempotency_Key="k").content == first.content


def test_without_a_key_the_same_call_is_two(tenant: Tenant) -> None:
    assert tenant.log()["log_id"] != tenant.log()["log_id"]
    assert tenant.post(call(), Idempotency_Key="k").status_code == 200
    assert tenant.post(call(), Idempotency_Key="l").status_code == 200

    assert len(tenant.logs()) == 4


def test_another_call_under_the_same_key_is_refused(tenant: Tenant) -> None:
    tenant.post(call(), Idempotency_Key="k")
    answer = tenant.post(call(output_tokens=201), Idempotency_Key="k")

    assert answer.status_code == 422 and "'k'" in answer.json()["detail"]
    assert answer.json()["code"] == "idempotency.key-reused"
    assert len(tenant.logs()) == 1


def test_an_unprocessable_call_does_not_burn_its_key(tenant: Tenant) -> None:
    assert tenant.post(call(output_tokens=-1), Idempotency_Key="k").status_code == 422
    answer = tenant.post(call(), Idempotency_Key="k")

    assert answer.status_code == 200 and "idempotency-replayed" not in answer.headers


def test_another_tenants_key_is_another_key(tenant: Tenant) -> None:
    other = tenant.server.tenant()
    first = tenant.post(call(), Idempotency_Key="k")
    second = other.post(call(output_tokens=1), Idempotency_Key="k")

    assert (first.status_code, second.status_code) == (200, 200)
    assert "idempotency-replayed" not in second.headers
    assert len(tenant.logs()) == len(other.logs()) == 1


@pytest.mark.parametrize("key", ["!", "~", "a b", "x" * 255, "'; DROP TABLE answers; --", '%_"\\'])
def test_any_printable_ascii_is_a_key(tenant: Tenant, key: str) -> None:
    first = tenant.post(call(), Idempotency_Key=key)

    assert tenant.post(call(), Idempotency_Key=key).content == first.content
    assert len(tenant.logs()) == 1


@pytest.mark.parametrize(
    "key", [b"", b"   ", b"x" * 256, b"a\tb", "é".encode(), b"\xff", "k\u200b".encode(), b"\x7f"]
)
async def test_anything_else_is_no_key(tenant: Tenant, key: bytes) -> None:
    headers = [b"X-API-Key: " + tenant.key.encode(), b"Idempotency-Key: " + key]
    answer = await raw(
        tenant.server, raw_request("POST", "/api/v1/log", *headers, body=json.encode(call()))
    )

    assert answer.status == 400
    if key != b"\x7f":  # a control character is refused by the HTTP parser, in its own words
        assert b"Idempotency-Key must be 1 to 255 printable ASCII characters" in answer.body
    assert tenant.logs() == []


def test_two_keys_are_none(tenant: Tenant) -> None:
    headers = [
        *tenant.headers.items(),
        (KEY, "a"),
        (KEY, "a"),
        ("Content-Type", "application/json"),
    ]
    answer = tenant.server.http.post("/api/v1/log", content=json.encode(call()), headers=headers)

    assert (answer.status_code, answer.json()["detail"]) == (400, f"{KEY} must be sent once")
    assert tenant.logs() == []


@pytest.mark.parametrize("named_by", ["header", "body"])
async def test_fifty_at_once_are_one_row(tenant: Tenant, named_by: str) -> None:
    tenant.log()  # the project exists
    body = call(client_log_id="c-1") if named_by == "body" else call()
    headers = tenant.headers | ({KEY: "k"} if named_by == "header" else {})

    limits = httpx.Limits(max_connections=50)
    url = f"{tenant.server.url}/api/v1/log"
    async with httpx.AsyncClient(
        verify=NO_TLS, trust_env=False, limits=limits, timeout=30
    ) as client:
        answers = await asyncio.gather(
            *(client.post(url, json=body, headers=headers) for _ in range(50))
        )

    done = [answer for answer in answers if answer.status_code == 200]
    waiting = [answer for answer in answers if answer.status_code == 409]
    assert len(done) + len(waiting) == 50 and done
    assert all(answer.headers["retry-after"] == "1" for answer in waiting)
    assert len({answer.content for answer in done}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in done) == 1
    assert len(tenant.logs()) == 2


def test_fifty_first_calls_at_once_are_one_project(tenant: Tenant) -> None:
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda _: tenant.post(call()), range(50)))

    assert {answer.status_code for answer in answers} == {200}
    assert len(tenant.logs()) == tenant.stats()["summary"]["total_requests"] == 50


def test_a_record_can_name_itself(tenant: Tenant) -> None:
    first = tenant.post(call(client_log_id="c-1"))
    second = tenant.post(call(client_log_id="c-1"))
    other = tenant.post(call(client_log_id="c-1", output_tokens=1))

    assert second.content == first.content and second.headers["idempotency-replayed"] == "true"
    assert other.status_code == 422
    (row,) = tenant.logs()
    assert row["client_log_id"] == "c-1"
