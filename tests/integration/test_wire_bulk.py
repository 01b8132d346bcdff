"""``/log/batch`` and ``/logs/import``: every line by itself, and nothing twice."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from msgspec import json

from tests.integration.server import NO_TLS, Tenant, call

BATCH, IMPORT = "/api/v1/log/batch", "/api/v1/logs/import"
BOTH = pytest.mark.parametrize("path", [BATCH, IMPORT])
MOST = {BATCH: 500, IMPORT: 1000}
WIDE = "start_date=2000-01-01"


def send(tenant: Tenant, path: str, body: object, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.encode(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = tenant.headers | {"Content-Type": "application/json"} | named
    return tenant.server.http.post(path, content=content, headers=sent)


def taken(tenant: Tenant, path: str, *logs: object, **headers: str) -> dict[str, Any]:
    answer = send(tenant, path, {"logs": logs}, **headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def sums_agree(tenant: Tenant) -> int:
    """Return how many calls there are; rows and totals must say the same of them."""
    rows = [json.decode(line) for line in exported(tenant, "jsonl").content.splitlines()]
    totals = tenant.stats(WIDE)
    cost = sum((Decimal(str(row.get("cost", 0))) for row in rows), Decimal(0))
    calls = [row for row in rows if row["kind"] == "call"]
    assert Decimal(totals["summary"]["total_cost"]) == cost
    assert totals["summary"]["total_requests"] == len(calls)
    assert sum(day["requests"] for day in totals["by_day"]) == len(calls)
    assert totals["summary"]["total_tokens"] == sum(
        row["input_tokens"] + row["output_tokens"] for row in rows
    )
    return len(calls)


def exported(tenant: Tenant, format: str) -> httpx.Response:
    answer = tenant.get(f"/api/v1/logs?{WIDE}&format={format}")
    assert answer.status_code == 200, answer.text
    return answer


class TestEveryLine:
    @BOTH
    def test_is_stored_and_priced(self, tenant: Tenant, path: str) -> None:
        answer = taken(tenant, path, call(), call(cost="0.5"), call(model="nobody knows"))

        assert (answer["accepted"], answer["duplicates"], answer["rejected"]) == (3, 0, [])
        facts = [(row["index"], row["cost_status"]) for row in answer["results"]]
        assert facts == [(0, "registry"), (1, "client"), (2, "unpriced")]
        assert answer["results"][1]["cost"] == 0.5 and answer["results"][2]["cost"] is None
        assert {row["id"] for row in tenant.logs()} == {r["log_id"] for r in answer["results"]}
        assert sums_agree(tenant) == 3

    @BOTH
    def test_costs_what_it_costs_alone(self, tenant: Tenant, path: str) -> None:
        alone = tenant.log(cached_input_tokens=300, reasoning_output_tokens=7)
        (one,) = taken(tenant, path, call(cached_input_tokens=300, reasoning_output_tokens=7))[
            "results"
        ]

        assert (one["cost"], one["cost_status"]) == (alone["cost"], alone["cost_status"])

    @BOTH
    def test_a_bad_one_is_rejected_and_its_neighbours_are_stored(
        self, tenant: Tenant, path: str
    ) -> None:
        bad = [
            call(input_tokens=-1),
            call(output_tokens="many"),
            {"model": "m"},
            call(cached_input_tokens=1001),
            call(cost="0.0000000000001"),
            call(provider="\0"),
            call(metadata=[]),
            7,
            None,
            call(output_tokens=2**53 - 1),
        ]
        logs = [part for one in bad for part in (call(), one)]

        answer = taken(tenant, path, *logs)

        assert answer["accepted"] == len(bad) == len(tenant.logs())
        assert [one["index"] for one in answer["rejected"]] == list(range(1, 2 * len(bad), 2))
        places = [one["detail"][0]["loc"] for one in answer["rejected"]]
        assert all(place[:2] == ["body", "logs"] for place in places)
        assert [place[3:] for place in places] == [
            ["input_tokens"],
            ["output_tokens"],
            ["provider"],
            ["cached_input_tokens"],
            ["cost"],
            ["provider"],
            ["metadata"],
            [],
            [],
            ["tokens"],
        ]
        assert all(part["msg"] for one in answer["rejected"] for part in one["detail"])
        assert sums_agree(tenant) == len(bad)

    @BOTH
    def test_is_one_of_at_most_so_many(self, tenant: Tenant, path: str) -> None:
        for logs in ([], [call()] * (MOST[path] + 1), {}, None, "logs", 1):
            answer = send(tenant, path, {"logs": logs})
            assert answer.status_code == 422, answer.text
            assert answer.json()["detail"][0]["loc"] == ["body", "logs"]
        for body in (b"", b"[]", b"{}", b"7", b"{", b'{"logs": [1', b"\xff"):
            assert send(tenant, path, body).status_code == 422
        assert tenant.logs() == []

        assert taken(tenant, path, *[call()] * MOST[path])["accepted"] == MOST[path]
        assert sums_agree(tenant) == MOST[path]


async def answered(
    client: httpx.AsyncClient, url: str, body: bytes, headers: dict[str, str]
) -> httpx.Response:
    """Send until it is taken, as clients are told to: a busy machine may say 503 for a moment."""
    while True:
        answer = await client.post(url, content=body, headers=headers)
        if answer.status_code != 503:
            return answer
        await asyncio.sleep(float(answer.headers["Retry-After"]))


class TestNothingTwice:
    @BOTH
    def test_a_name_is_one_call_wherever_it_is_logged(self, tenant: Tenant, path: str) -> None:
        first = tenant.log(client_log_id="a")
        lines = [call(client_log_id="a"), call(client_log_id="b"), call(client_log_id="b")]
        answer = taken(tenant, path, *lines)
        again = taken(tenant, path, *lines)

        assert (answer["accepted"], answer["duplicates"]) == (1, 2)
        assert (again["accepted"], again["duplicates"]) == (0, 3)
        assert again["results"] == answer["results"]
        assert answer["results"][0]["log_id"] == first["log_id"]
        assert (
            tenant.post(call(client_log_id="b")).json()["log_id"] == again["results"][1]["log_id"]
        )
        assert sums_agree(tenant) == 2

    @BOTH
    def test_another_call_under_an_old_name_is_rejected(self, tenant: Tenant, path: str) -> None:
        tenant.log(client_log_id="a")
        answer = taken(tenant, path, call(client_log_id="a", output_tokens=1), call())

        (rejected,) = answer["rejected"]
        assert (answer["accepted"], rejected["index"]) == (1, 0) and "'a'" in rejected["detail"]

    @BOTH
    def test_the_same_batch_under_one_key_is_one_answer(self, tenant: Tenant, path: str) -> None:
        tenant.log(client_log_id="a")
        logs = [call(), call(), call(client_log_id="a"), call(input_tokens=-1), call(cost="1e9")]
        first = send(tenant, path, {"logs": logs}, Idempotency_Key="k")
        second = send(tenant, path, {"logs": logs}, Idempotency_Key="k")
        other = send(tenant, path, {"logs": logs[1:]}, Idempotency_Key="k")

        assert first.status_code == second.status_code == 200
        assert "idempotency-replayed" not in first.headers
        assert second.headers["idempotency-replayed"] == "true"
        assert second.content == first.content
        assert other.status_code == 422 and other.json()["code"] == "idempotency.key-reused"
        assert sums_agree(tenant) == 3

    @BOTH
    def test_a_refused_body_does_not_burn_its_key(self, tenant: Tenant, path: str) -> None:
        assert send(tenant, path, {"logs": []}, Idempotency_Key="k").status_code == 422
        assert taken(tenant, path, 7, Idempotency_Key="k")["accepted"] == 0
        answer = send(tenant, path, {"logs": [call()]}, Idempotency_Key="k")

        assert "idempotency-replayed" not in answer.headers and answer.json()["accepted"] == 1

    @BOTH
    async def test_ten_at_once_are_one(self, tenant: Tenant, path: str) -> None:
        body = json.encode({"logs": [call(output_tokens=n) for n in range(100)]})
        headers = tenant.headers | {"Idempotency-Key": "k", "Content-Type": "application/json"}
        async with httpx.AsyncClient(verify=NO_TLS, trust_env=False, timeout=30) as client:
            url = tenant.server.url + path
            answers = await asyncio.gather(
                *(answered(client, url, body, headers) for _ in range(10))
            )

        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
        assert sums_agree(tenant) == 100


class TestThePast:
    def test_is_stored_and_counted_where_it_happened(self, tenant: Tenant) -> None:
        moments = [
            "2025-01-01T00:00:00Z",
            "2024-02-29T23:59:59.999999",
            "2000-01-01T01:30:00+01:30",
        ]
        answer = taken(tenant, IMPORT, *(call(logged_at=at) for at in moments), call())

        assert answer["accepted"] == 4
        *_, oldest = rows = tenant.logs(WIDE)
        assert [row["logged_at"] for row in rows[1:]] == [
            "2025-01-01T00:00:00Z",
            "2024-02-29T23:59:59.999999Z",
            "2000-01-01T00:00:00Z",
        ]
        days = {day["date"]: day["requests"] for day in tenant.stats(WIDE)["by_day"]}
        assert days.keys() >= {"2025-01-01", "2024-02-29", "2000-01-01"} and len(days) == 4
        assert len(tenant.logs("start_date=2000-01-01&end_date=2000-01-01")) == 1
        assert oldest["cost_status"] == "registry"
        assert sums_agree(tenant) == 4

    def test_is_neither_the_future_nor_before_2000(self, tenant: Tenant) -> None:
        now = datetime.now(UTC)
        bad = [
            (now + timedelta(minutes=6)).isoformat(),
            "1999-12-31T23:59:59Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
            "2025-01-01",
            "yesterday",
            1735689600,
        ]
        answer = taken(
            tenant, IMPORT, *(call(logged_at=at) for at in [*bad, now.isoformat(), None, ""])
        )

        assert answer["accepted"] == 3
        places = [one["detail"][0]["loc"] for one in answer["rejected"]]
        assert places == [["body", "logs", index, "logged_at"] for index in range(len(bad))]

    def test_imported_again_stores_nothing_twice(self, tenant: Tenant) -> None:
        at = "2025-06-01T12:00:00Z"
        lines = [call(logged_at=at), call(logged_at=at), call(client_log_id="x"), call()]
        first, second = taken(tenant, IMPORT, *lines), taken(tenant, IMPORT, *lines)

        assert (first["accepted"], second["accepted"], second["duplicates"]) == (4, 0, 4)
        assert second["results"] == first["results"]
        assert taken(tenant, IMPORT, *reversed(lines), call(logged_at=at))["accepted"] == 1
        assert sums_agree(tenant) == 5
