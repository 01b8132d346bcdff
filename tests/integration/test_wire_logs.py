"""``GET /api/v1/logs`` as the published client asks, and page by page."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest

from tests.integration.server import Tenant

AS_THE_CLIENT_ASKS = "limit=50&offset=0&alias=&model=&origin=&start_date=&end_date="
MEMBERS_FORMATTED = ["logged_at", "provider", "model", "input_tokens", "output_tokens", "cost"]


def models(rows: list[dict[str, Any]]) -> list[str]:
    return [row["model"] for row in rows]


def log_models(tenant: Tenant, *names: str) -> list[dict[str, Any]]:
    return [tenant.log(model=name, cost=1) for name in names]


def test_a_new_project_has_none(tenant: Tenant) -> None:
    answer = tenant.get(f"/api/v1/logs?{AS_THE_CLIENT_ASKS}")

    assert (answer.status_code, answer.json()) == (200, [])
    assert "x-next-cursor" not in answer.headers


def test_empty_parameters_restrict_nothing(tenant: Tenant) -> None:
    # The historic server answers 422 to an empty limit; client contract 0.1: empty means absent.
    log_models(tenant, "a", "b", "c")

    assert models(tenant.logs(AS_THE_CLIENT_ASKS)) == ["c", "b", "a"]
    assert tenant.logs("limit=&offset=&cursor=&tz=") == tenant.logs() == tenant.logs("nope=1")


def test_a_row_is_what_the_client_can_format(tenant: Tenant) -> None:
    tenant.log(cost=0.1)

    (row,) = tenant.logs()
    assert [type(row[name]) for name in MEMBERS_FORMATTED] == [str, str, str, int, int, float]
    assert f"{row['cost']:.4f}" == "0.1000"
    assert datetime.fromisoformat(row["logged_at"]).tzinfo == UTC


def test_an_unpriced_row_has_no_cost_at_all(tenant: Tenant) -> None:
    tenant.log(model="nope")

    (row,) = tenant.logs()
    assert "cost" not in row and row["cost_status"] == "unpriced"


def test_filters_match_exactly(tenant: Tenant) -> None:
    tenant.log(model="gpt", alias="summarizer", origin="tests", cost=1)
    tenant.log(model="GPT", alias="Summarizer", origin="Tests", cost=1)
    tenant.log(model="gpt2", cost=1)

    assert len(tenant.logs("model=gpt")) == 1
    assert len(tenant.logs("alias=summarizer&model=gpt&origin=tests")) == 1
    assert tenant.logs("alias=summarizer&model=GPT") == tenant.logs("alias=summ") == []


@pytest.mark.parametrize("name", ["%", "_", "a\\b", "' OR 1=1 --", '"', "*", "a+b &=?#/é\u2028😀"])
def test_filters_know_no_wildcards_and_no_sql(tenant: Tenant, name: str) -> None:
    tenant.log(model="other", alias="other", origin="other", cost=1)
    tenant.log(model=name, alias=name, origin=name, cost=1)

    for field in ("model", "alias", "origin"):
        (row,) = tenant.logs(f"{field}={quote(name, safe='')}")
        assert row[field] == name


def test_limit_and_offset_cut_the_list(tenant: Tenant) -> None:
    log_models(tenant, "a", "b", "c", "d")

    assert models(tenant.logs("limit=2")) == ["d", "c"]
    assert models(tenant.logs("limit=2&offset=1")) == ["c", "b"]
    assert models(tenant.logs("limit=500&offset=3")) == ["a"]
    assert tenant.logs("offset=4") == tenant.logs(f"offset={2**53 - 1}") == []


def test_the_default_page_has_fifty_rows(tenant: Tenant) -> None:
    log_models(tenant, *(f"m{n}" for n in range(51)))

    answer = tenant.get("/api/v1/logs")
    assert len(answer.json()) == 50 and answer.headers["x-next-cursor"]


def test_cursors_lead_through_everything_once(tenant: Tenant) -> None:
    log_models(tenant, *"abcdefg")
    seen: list[str] = []
    cursor = ""

    for _ in range(3):
        answer = tenant.get(f"/api/v1/logs?limit=3&cursor={cursor}")
        seen += models(answer.json())
        cursor = answer.headers.get("x-next-cursor", "")

    assert seen == list("gfedcba") and cursor == ""


def test_a_cursor_does_not_move_when_calls_arrive(tenant: Tenant) -> None:
    log_models(tenant, *"abcd")
    cursor = tenant.get("/api/v1/logs?limit=2").headers["x-next-cursor"]
    log_models(tenant, "new")

    assert models(tenant.logs(f"cursor={cursor}")) == ["b", "a"]


def test_a_cursor_is_safe_in_a_url(tenant: Tenant) -> None:
    log_models(tenant, "a", "b")
    cursor = tenant.get("/api/v1/logs?limit=1").headers["x-next-cursor"]

    assert quote(cursor, safe="") == cursor


def test_dates_bound_the_list(tenant: Tenant) -> None:
    (answer,) = log_models(tenant, "a")
    at = datetime.fromisoformat(answer["timestamp"])
    today, yesterday = at.date(), at.date() - timedelta(days=1)
    just_after = quote((at + timedelta(microseconds=1)).isoformat())

    assert len(tenant.logs(f"start_date={today}&end_date={today}")) == 1  # the whole day
    assert tenant.logs(f"end_date={yesterday}") == []
    assert tenant.logs(f"end_date={quote(at.isoformat())}") == []  # an instant is exclusive
    assert len(tenant.logs(f"end_date={just_after}")) == 1
    assert len(tenant.logs(f"start_date={quote(at.isoformat())}")) == 1
    assert tenant.logs(f"start_date={just_after}") == []
    assert len(tenant.logs(f"start_date={yesterday}&end_date=2199-12-31")) == 1


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles", "Asia/Kathmandu"])
def test_a_bare_date_is_a_day_of_the_given_zone(tenant: Tenant, zone: str) -> None:
    (answer,) = log_models(tenant, "a")
    there = _day_in(zone, answer["timestamp"])
    before, after = there - timedelta(days=1), there + timedelta(days=1)

    assert len(tenant.logs(f"start_date={there}&end_date={there}&tz={zone}")) == 1
    assert tenant.logs(f"start_date={before}&end_date={before}&tz={zone}") == []
    assert tenant.logs(f"start_date={after}&end_date={after}&tz={zone}") == []


def _day_in(zone: str, timestamp: str) -> date:
    return datetime.fromisoformat(timestamp).astimezone(ZoneInfo(zone)).date()
