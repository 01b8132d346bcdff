"""``GET /api/v1/stats``: the historic shape, and sums that agree with each other and the rows."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec import json

from tests.integration.server import Tenant

EMPTY = {
    "summary": {
        "total_requests": 0,
        "total_cost": "0",
        "total_tokens": 0,
        "unique_models": 0,
        "unique_origins": 0,
        "cached_input_tokens": 0,
        "unpriced_requests": 0,
    },
    "group_by": "day",
    "by_day": [],
    "by_period": [],
    "by_model": {},
    "by_origin": {},
    "by_alias": {},
}


def fill(tenant: Tenant) -> str:
    """Log the calls that the tests below add up; the day they are on."""
    tenant.log(
        model="gpt-4", cost=0.0025, origin="tests", alias="summarizer", cached_input_tokens=9
    )
    tenant.log(model="gpt-4", cost=0.1, origin="tests")
    tenant.log(model="gpt-4", cost=0.2, alias="summarizer", input_tokens=1, output_tokens=1)
    tenant.log(model="claude", cost="0.000000000001", input_tokens=0, output_tokens=7)
    last = tenant.log(model="nope", input_tokens=5, output_tokens=5)
    return str(last["timestamp"][:10])


def exact(tenant: Tenant, query: str = "") -> dict[str, Any]:
    """The stats with every JSON number that has a fraction as the Decimal that was written."""
    decoder = json.Decoder(dict[str, Any], float_hook=Decimal)
    return decoder.decode(tenant.get(f"/api/v1/stats?{query}").content)


def test_a_new_project_has_nothing_but_the_shape(tenant: Tenant) -> None:
    assert tenant.stats() == tenant.stats("start_date=&end_date=&group_by=day") == EMPTY
    assert tenant.stats("group_by=&tz=&alias=&model=&origin=") == EMPTY


def test_the_shape_is_the_historic_one(tenant: Tenant) -> None:
    day = fill(tenant)
    stats = exact(tenant)

    assert stats["summary"] == {
        "total_requests": 5,
        "total_cost": "0.302500000001",
        "total_tokens": 1200 + 1200 + 2 + 7 + 10,
        "unique_models": 3,
        "unique_origins": 1,
        "cached_input_tokens": 9,
        "unpriced_requests": 1,
    }
    # The whole day; the historic server counts its top model only (promises, section 9).
    whole_day = {"date": day, "requests": 5, "cost": "0.302500000001", "top_model": "gpt-4"}
    assert stats["by_day"] == stats["by_period"] == [whole_day]
    gpt = {"requests": 3, "cost": "0.30250000", "input_tokens": 2001, "output_tokens": 401}
    assert stats["by_model"]["gpt-4"] == gpt
    nope = {"requests": 1, "cost": "0", "input_tokens": 5, "output_tokens": 5}
    assert stats["by_model"]["nope"] == nope
    assert stats["by_origin"] == {"tests": {"requests": 2, "cost": Decimal("0.1025")}}
    summarizer = {"requests": 2, "cost": "0.20250000", "input_tokens": 1001, "output_tokens": 201}
    assert stats["by_alias"] == {"summarizer": summarizer}


def test_costs_are_strings_except_by_origin(tenant: Tenant) -> None:
    tenant.log(cost=0.5, origin="o", alias="a")
    stats = tenant.stats()

    strings = [stats["by_day"][0], *stats["by_model"].values(), *stats["by_alias"].values()]
    assert {part["cost"] for part in strings} == {stats["summary"]["total_cost"]} == {"0.50000000"}
    assert stats["by_origin"]["o"]["cost"] == 0.5


@pytest.mark.parametrize(
    "query", ["", "model=gpt-4", "alias=summarizer", "origin=tests", "tz=Asia/Kathmandu"]
)
@pytest.mark.parametrize("group_by", ["day", "week", "month"])
def test_every_direction_adds_up_to_the_rows(tenant: Tenant, query: str, group_by: str) -> None:
    fill(tenant)
    stats = exact(tenant, f"{query}&group_by={group_by}")
    written = json.Decoder(list[dict[str, Any]], float_hook=Decimal)
    rows = written.decode(tenant.get(f"/api/v1/logs?{query}").content)
    cost = sum((Decimal(row.get("cost", 0)) for row in rows), Decimal(0))

    assert stats["summary"]["total_requests"] == len(rows) > 0
    assert Decimal(stats["summary"]["total_cost"]) == cost
    for parts in (stats["by_day"], stats["by_period"], stats["by_model"].values()):
        assert sum(part["requests"] for part in parts) == len(rows)
        assert sum(Decimal(part["cost"]) for part in parts) == cost
    with_alias = [row for row in rows if row["alias"]]
    assert sum(part["requests"] for part in stats["by_alias"].values()) == len(with_alias)
    with_origin = sum((row["cost"] for row in rows if row["origin"]), Decimal(0))
    assert sum(Decimal(part["cost"]) for part in stats["by_origin"].values()) == with_origin


def test_weeks_begin_on_monday_and_months_on_the_first(tenant: Tenant) -> None:
    today = date.fromisoformat(fill(tenant))
    monday, first = today - timedelta(days=today.weekday()), today.replace(day=1)

    for group_by, begins in (("day", today), ("week", monday), ("month", first)):
        stats = tenant.stats(f"group_by={group_by}")
        assert (stats["group_by"], stats["by_period"][0]["date"]) == (group_by, str(begins))
        assert stats["by_day"][0]["date"] == str(today)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_a_day_is_one_of_the_given_zone(tenant: Tenant, zone: str) -> None:
    at = datetime.fromisoformat(tenant.log(cost=1)["timestamp"])
    there = at.astimezone(ZoneInfo(zone)).date()

    (day,) = tenant.stats(f"start_date={there}&end_date={there}&tz={zone}")["by_day"]
    assert (day["date"], day["requests"]) == (str(there), 1)


def test_a_bare_end_date_includes_its_day_and_an_instant_is_exclusive(tenant: Tenant) -> None:
    at = datetime.fromisoformat(tenant.log(cost=1)["timestamp"])
    today, instant = at.date(), at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    assert tenant.stats(f"end_date={today}")["summary"]["total_requests"] == 1
    assert tenant.stats(f"end_date={instant}")["summary"]["total_requests"] == 0
    assert tenant.stats(f"start_date={instant}")["summary"]["total_requests"] == 1
    yesterday = today - timedelta(days=1)
    assert tenant.stats(f"end_date={yesterday}") == EMPTY


def test_tiny_amounts_beside_large_ones_are_not_lost(tenant: Tenant) -> None:
    for _ in range(30):
        tenant.log(model="m", cost="0.000000000001")
    tenant.log(model="m", cost="1000000")

    assert tenant.stats()["summary"]["total_cost"] == "1000000.00000000003"


def test_more_than_nine_million_dollars_and_two_to_the_53_tokens_add_up(tenant: Tenant) -> None:
    for _ in range(10):
        tenant.log(model="m", cost=1_000_000, input_tokens=2**53 - 1, output_tokens=2**53 - 1)

    summary = tenant.stats()["summary"]
    assert summary["total_cost"] == "10000000.00000000"
    assert summary["total_tokens"] == 20 * (2**53 - 1)


def test_a_refused_call_counts_nowhere(tenant: Tenant) -> None:
    assert tenant.post({"provider": "openai"}).status_code == 422
    assert tenant.post({}).status_code == 422

    assert tenant.stats() == EMPTY
