"""One tenant never sees another: not in lists, sums, cursors, keys, filters or errors."""

from typing import Any

import pytest

from tests.integration.server import Tenant, call

CANARY = "CANARY-of-the-victim"


@pytest.fixture
def victim(tenant: Tenant) -> Tenant:
    """Somebody with calls whose every text is a canary."""
    for number in range(3):
        tenant.log(
            provider=CANARY,
            model=f"{CANARY}-{number}",
            alias=CANARY,
            origin=CANARY,
            profile=CANARY,
            id_at_origin=CANARY,
            client_log_id=f"{CANARY}-{number}",
            metadata={CANARY: CANARY},
            cost=1,
        )
    assert tenant.post(call(model=CANARY), Idempotency_Key=CANARY).status_code == 200
    return tenant


@pytest.fixture
def attacker(victim: Tenant) -> Tenant:
    return victim.server.tenant()


def everything_of(tenant: Tenant) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    return tenant.logs("limit=500"), tenant.stats()


FILTERS = [
    "limit=500",
    f"origin={CANARY}",
    f"model={CANARY}-0",
    f"alias={CANARY}",
    "origin=%25",
    "api_key_id=victim&project=victim&project_id=victim&tenant=*",
    "start_date=1970-01-01&end_date=2199-12-31",
]


@pytest.mark.parametrize("query", FILTERS)
def test_no_list_and_no_sum_shows_anothers_calls(attacker: Tenant, query: str) -> None:
    listed = attacker.get(f"/api/v1/logs?{query}")
    summed = attacker.get(f"/api/v1/stats?{query}") if "limit" not in query else listed

    assert (listed.status_code, listed.json()) == (200, [])
    assert summed.status_code == 200 and CANARY not in summed.text
    if summed is not listed:
        assert summed.json()["summary"]["total_requests"] == 0


def test_own_calls_beside_anothers_are_all_there_is(victim: Tenant, attacker: Tenant) -> None:
    before = everything_of(victim)
    attacker.log(model="mine", alias=CANARY, origin=CANARY, cost=5)

    assert [row["model"] for row in attacker.logs()] == ["mine"]
    assert attacker.stats()["summary"]["total_cost"] == "5.00000000"
    assert attacker.stats()["by_origin"] == {CANARY: {"requests": 1, "cost": 5}}
    assert everything_of(victim) == before


def test_anothers_cursor_leads_to_own_calls_only(victim: Tenant, attacker: Tenant) -> None:
    attacker.log(model="mine", cost=1)
    cursor = victim.get("/api/v1/logs?limit=1").headers["x-next-cursor"]

    answer = attacker.get(f"/api/v1/logs?cursor={cursor}")

    assert answer.status_code == 200 and CANARY not in answer.text


@pytest.mark.parametrize("project", ["project", "project_id", "api_key_id", "tenant", "user_id"])
def test_a_body_cannot_say_whose_call_it_is(victim: Tenant, attacker: Tenant, project: str) -> None:
    before = everything_of(victim)
    attacker.log(**{project: victim.key, "id": victim.logs()[0]["id"]})

    assert everything_of(victim) == before and len(attacker.logs()) == 1


def test_anothers_idempotency_key_and_record_names_are_free(
    victim: Tenant, attacker: Tenant
) -> None:
    before = everything_of(victim)
    other = attacker.post(call(model="other"), Idempotency_Key=CANARY)
    same = attacker.server.tenant().post(call(model=CANARY), Idempotency_Key=CANARY)
    named = attacker.post(call(client_log_id=f"{CANARY}-0"))

    for answer in (other, same, named):
        assert answer.status_code == 200 and "idempotency-replayed" not in answer.headers
        assert CANARY not in answer.text
    assert everything_of(victim) == before


def test_a_refusal_says_nothing_about_others(attacker: Tenant) -> None:
    nobody = attacker.server.tenant()
    asked = [f"/api/v1/logs?origin={CANARY}&limit=0", "/api/v1/logs?cursor=x", "/api/v1/stats?tz=x"]

    for path in asked:
        answers = [tenant.get(path, X_Request_ID="same") for tenant in (attacker, nobody)]
        assert answers[0].status_code == 422
        assert answers[0].content == answers[1].content
