"""Queries nobody should send: refused by name, the same on every database, and never a 500."""

from base64 import urlsafe_b64encode

import pytest

from tests.integration.server import Tenant, raw, raw_request

LISTS = ["logs", "stats"]
DATE = "must be a date such as 2026-11-20 or an instant such as 2026-11-20T12:00:00Z"
YEAR = "must lie between the years 1970 and 2199"
ZONE = "must be an IANA time zone such as Europe/Berlin"
CURSOR = "must be the value of a previous page's next cursor"


def refusal(tenant: Tenant, route: str, query: str) -> tuple[list[object], str]:
    """Where the one error is, and its rule."""
    answer = tenant.get(f"/api/v1/{route}?{query}")
    assert answer.status_code == 422, (answer.status_code, answer.text)
    (error,) = answer.json()["detail"]
    return error["loc"], error["msg"]


@pytest.mark.parametrize("route", LISTS)
@pytest.mark.parametrize("field", ["start_date", "end_date"])
@pytest.mark.parametrize(
    "value",
    [
        "notadate",
        "2026-13-01",
        "2026-02-30",
        "2026-11-20T25:00:00Z",
        "2026-11-20T12:00:60Z",
        "2026-11-20T12:00:00%2B25:00",
        "1763640000",
        "0000-01-01",
        "2026-11-20%00",
        "2026-11-20%27;--",
        "%F0%9F%98%80",
        "-1",
        "9" * 5000,
    ],
)
def test_a_date_is_a_date(tenant: Tenant, route: str, field: str, value: str) -> None:
    assert refusal(tenant, route, f"{field}={value}") == (["query", field], DATE)


@pytest.mark.parametrize("route", LISTS)
@pytest.mark.parametrize(
    "value",
    [
        "0001-01-01",
        "1969-12-31",
        "9999-12-31",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00%2B14:00",
    ],
)
def test_a_date_lies_within_reach(tenant: Tenant, route: str, value: str) -> None:
    for field in ("start_date", "end_date"):
        assert refusal(tenant, route, f"{field}={value}") == (["query", field], YEAR)


@pytest.mark.parametrize("route", LISTS)
@pytest.mark.parametrize(
    "query",
    [
        "start_date=1970-01-01&end_date=2199-12-31",
        "start_date=1970-01-01T00:00:00%2B14:00&end_date=2199-12-31T23:59:59-12:00",
        "start_date=1970-01-01&end_date=2199-12-31&tz=Pacific/Apia",
        "start_date=1970-01-01&end_date=2199-12-31&tz=Pacific/Pago_Pago",
        "start_date=2026-03-29&end_date=2026-03-29&tz=Europe/Berlin",
        "start_date=2026-03-29T02:30:00&tz=Europe/Berlin",
        "end_date=1970-01-01",
        "end_date=1970-01-01&tz=Pacific/Kiritimati",
        "start_date=2026-11-20t12:00:00.123456789Z&end_date=2199-12-31",
    ],
)
def test_the_edges_of_time_are_no_error(tenant: Tenant, route: str, query: str) -> None:
    assert tenant.get(f"/api/v1/{route}?{query}").status_code == 200


@pytest.mark.parametrize("route", LISTS)
def test_a_period_does_not_end_before_it_begins(tenant: Tenant, route: str) -> None:
    where, rule = refusal(tenant, route, "start_date=2026-11-21&end_date=2026-11-19")

    assert (where, rule) == (["query", "start_date"], "must not be after end_date")


@pytest.mark.parametrize("route", LISTS)
@pytest.mark.parametrize(
    "zone",
    [
        "Nowhere/City",
        "../../etc/passwd",
        "/etc/passwd",
        "Europe",
        "%00",
        "UTC%00",
        "a" * 5000,
        "..",
        "%F0%9F%98%80",
        "Europe/Berlin/",
        "%5C",
        "posixrules%0A",
        "tzdata.zi",
        "zone.tab",
    ],
)
def test_a_zone_is_an_iana_zone(tenant: Tenant, route: str, zone: str) -> None:
    assert refusal(tenant, route, f"tz={zone}") == (["query", "tz"], ZONE)


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("limit", "0", "Input should be greater than or equal to 1"),
        ("limit", "-1", "Input should be greater than or equal to 1"),
        ("limit", "501", "Input should be less than or equal to 500"),
        ("limit", "1000000000", "Input should be less than or equal to 500"),
        ("offset", "-1", "Input should be greater than or equal to 0"),
        ("offset", str(2**53), f"Input should be less than or equal to {2**53 - 1}"),
        ("offset", str(2**63), f"Input should be less than or equal to {2**53 - 1}"),
    ],
)
def test_a_page_has_its_limits(tenant: Tenant, field: str, value: str, rule: str) -> None:
    answer = tenant.get(f"/api/v1/logs?{field}={value}")

    (error,) = answer.json()["detail"]
    assert (answer.status_code, error["loc"], error["msg"]) == (422, ["query", field], rule)
    assert error["type"] in {"less_than_equal", "greater_than_equal"} and error["input"] == value


@pytest.mark.parametrize(
    "value", ["x", "1.5", "%D9%A3", "true", "1;2", "%00", "9" * 400, "0x1", "NaN", "1e999"]
)
@pytest.mark.parametrize("field", ["limit", "offset"])
def test_a_number_is_a_number(tenant: Tenant, field: str, value: str) -> None:
    where, rule = refusal(tenant, "logs", f"{field}={value}")

    assert where == ["query", field] and rule.startswith("Input should be")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%00",
        "%F0%9F%98%80",
        "a" * 5000,
        *(
            urlsafe_b64encode(text).decode().rstrip("=")
            for text in (
                b"{}",
                b"null",
                b"[]",
                b"\xff\xfe",
                b'{"at":"notadate","id":"x"}',
                b'{"at":"2026-11-20T12:00:00Z"}',
                b'{"at":1,"id":1}',
                b"[" * 2000,
            )
        ),
    ],
)
def test_a_cursor_is_one_of_ours(tenant: Tenant, cursor: str) -> None:
    assert refusal(tenant, "logs", f"cursor={cursor}") == (["query", "cursor"], CURSOR)


@pytest.mark.parametrize(
    "position",
    [
        b'{"at":"2026-11-20T12:00:00","id":"x"}',
        b'{"at":"9999-12-31T23:59:59-23:59","id":"x"}',
        b'{"at":"0001-01-01T00:00:00+14:00","id":"x"}',
        b'{"at":"0001-01-01T00:00:00Z","id":"x"}',
        b'{"at":"2026-11-20T12:00:00Z","id":"\\u0000"}',
        b'{"at":"2026-11-20T12:00:00Z","id":"%s"}' % (b"x" * 3000),
        b'{"at":"2026-11-20T12:00:00Z","id":"\' OR 1=1 --"}',
    ],
)
def test_a_cursor_made_by_hand_breaks_nothing(tenant: Tenant, position: bytes) -> None:
    tenant.log()
    answer = tenant.get(f"/api/v1/logs?cursor={urlsafe_b64encode(position).decode().rstrip('=')}")

    assert answer.status_code in (200, 422), answer.text


@pytest.mark.parametrize(
    "value", ["year", "Day", "day,week", "1; DROP TABLE usage_records", "d%C3%A0y", "%00"]
)
def test_group_by_is_day_week_or_month(tenant: Tenant, value: str) -> None:
    rule = "Input should be 'day', 'week' or 'month'"

    assert refusal(tenant, "stats", f"group_by={value}") == (["query", "group_by"], rule)


@pytest.mark.parametrize("route", LISTS)
@pytest.mark.parametrize("field", ["start_date", "end_date", "model", "alias", "origin", "tz"])
def test_a_parameter_is_given_once(tenant: Tenant, route: str, field: str) -> None:
    for query in (f"{field}=UTC&{field}=UTC", f"{field}=a&limit=5&{field}=b"):
        assert refusal(tenant, route, query) == (["query", field], "must be given once")


@pytest.mark.parametrize("route", LISTS)
@pytest.mark.parametrize("field", ["model", "alias", "origin"])
@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("%00", "must not contain the NUL character"),
        ("a%00b", "must not contain the NUL character"),
        ("x" * 256, "must have at most 255 characters"),
    ],
)
def test_a_filter_is_a_text_that_could_be_stored(
    tenant: Tenant, route: str, field: str, value: str, rule: str
) -> None:
    assert refusal(tenant, route, f"{field}={value}") == (["query", field], rule)


@pytest.mark.parametrize("route", LISTS)
@pytest.mark.parametrize(
    "bad", ["%ff", "%ed%a0%80", "%c0%80", "%", "%zz", "%u0000", "+", "a[]", ";", "&&&=&=="]
)
def test_escapes_that_are_none_break_nothing(tenant: Tenant, route: str, bad: str) -> None:
    for query in (f"model={bad}", bad, f"{bad}={bad}"):
        assert tenant.get(f"/api/v1/{route}?{query}").status_code in (200, 422)


@pytest.mark.parametrize(
    "target",
    [
        b"/api/v1/logs?model=\xff",
        b"/api/v1/logs?model=a b",
        b"/api/v1/%ff",
        b"/%00",
        b"/registry/%2e%2e/models.json",
        b"/registry/v/../registry.json",
        b"*",
        b"http://evil/api/v1/logs",
    ],
)
async def test_a_target_no_browser_sends_breaks_nothing(anyone: Tenant, target: bytes) -> None:
    lines = [b"GET " + target + b" HTTP/1.1", b"Host: t", b"Connection: close"]
    key = b"X-API-Key: " + anyone.key.encode()
    answer = await raw(anyone.server, b"\r\n".join([*lines, key]) + b"\r\n\r\n")

    assert answer.status in (200, 400, 404), answer
    assert (await raw(anyone.server, raw_request("GET", "/health"))).status == 200


async def test_a_stranger_learns_nothing_from_a_bad_query(anyone: Tenant) -> None:
    answer = await raw(anyone.server, raw_request("GET", "/api/v1/logs?limit=x"))

    assert answer.status == 401
