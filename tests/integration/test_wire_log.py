"""``POST /api/v1/log`` as historic clients speak it; samples recorded from a historic server."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from msgspec import json

from tests.integration.server import Tenant, call

EVERYTHING = {
    "provider": "openai",
    "model": "gpt-4",
    "input_tokens": 100,
    "output_tokens": 50,
    "cached_input_tokens": 0,
    "alias": "summarizer",
    "profile": "prod",
    "cost": 0.0025,
    "latency_ms": 812,
    "origin": "tests",
    "id_at_origin": "abc-1",
    "metadata": {"a": 1, "nested": {"b": [1, 2]}},
}
LISTED = {
    "provider": "openai",
    "model": "gpt-4",
    "alias": "summarizer",
    "profile": "prod",
    "origin": "tests",
    "input_tokens": 100,
    "output_tokens": 50,
    "cached_input_tokens": 0,
    "cost": 0.0025,
    "metadata": {"a": 1, "nested": {"b": [1, 2]}},
    "conversation_id": None,
    "id_at_origin": "abc-1",
}


def cost_in(answer: httpx.Response) -> str:
    """The digits of the answer's cost, exactly as they travelled."""
    assert answer.status_code == 200, answer.text
    written = json.Decoder(dict[str, Any], float_hook=str).decode(answer.content)["cost"]
    assert not isinstance(answer.json()["cost"], str), "a number, as historic clients read it"
    return str(written)


def errors_in(answer: httpx.Response) -> list[tuple[object, ...]]:
    assert answer.status_code == 422, answer.text
    return [(error["type"], error["loc"], error["msg"]) for error in answer.json()["detail"]]


def test_every_field_is_kept(tenant: Tenant) -> None:
    answer = tenant.log(**EVERYTHING)
    (row,) = tenant.logs()

    assert answer == {
        "log_id": row["id"],
        "cost": 0.0025,
        "timestamp": row["logged_at"],
        "cost_status": "client",
    }
    assert LISTED.items() <= row.items()
    assert (row["latency_ms"], row["usage_source"], row["kind"]) == (812, "client", "call")
    assert UUID(row["id"]).version == 7 and row["logged_at"].endswith("Z")


def test_the_registry_prices_a_call_without_a_cost(tenant: Tenant) -> None:
    answer = tenant.post(call(cached_input_tokens=100, alias="summarizer", profile="prod"))

    # 900 x 2 + 100 x 0.5 + 200 x 8 dollars per million. The historic server's 0.0034 gives cached
    # tokens away; promises, section 1: every token has its price.
    assert cost_in(answer) == "0.00345"
    assert answer.json()["cost_status"] == tenant.logs()[0]["cost_status"] == "registry"


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "openai:gpt-4.1"), ("anything", "openai:gpt-4.1"), ("anything", "gpt-4.1")],
)
def test_a_model_is_found_under_the_names_clients_use(
    tenant: Tenant, provider: str, model: str
) -> None:
    assert cost_in(tenant.post(call(provider=provider, model=model))) == "0.0036"


def test_a_call_nobody_can_price_costs_null_and_says_so(tenant: Tenant) -> None:
    # The historic server says 0.0; promises, section 9: unpriced is null, never 0.
    answer = tenant.log(model="nope")

    assert (answer["cost"], answer["cost_status"]) == (None, "unpriced")


def test_a_free_call_costs_zero(tenant: Tenant) -> None:
    answer = tenant.log(model="nope", cost=0)

    assert (answer["cost"], answer["cost_status"]) == (0, "client")


@pytest.mark.parametrize("absent", ["cached_input_tokens", "cost", "alias", "origin", "profile"])
def test_null_is_absent(tenant: Tenant, absent: str) -> None:
    tenant.log(**{absent: None})
    tenant.log()

    first, second = (row | {"id": "", "logged_at": "", "request_id": ""} for row in tenant.logs())
    assert first == second and first["cached_input_tokens"] == 0


def test_a_call_without_profile_is_in_the_default_one(tenant: Tenant) -> None:
    tenant.log()

    assert tenant.logs()[0]["profile"] == "default"


def test_unknown_members_are_ignored_and_nothing_of_them_is_kept(tenant: Tenant) -> None:
    secret = "what-I-asked"  # noqa: S105  a needle
    unknown = {"project": "p", "id": "x", "logged_at": "1999-01-01T00:00:00Z", "api_key_id": "k"}
    tenant.log(messages=[{"content": secret}], prompt=secret, response={"text": secret}, **unknown)

    (row,) = tenant.logs()
    assert secret not in str(row) and row["id"] != "x" and row["logged_at"] > "2020"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("0.00030000000000000003", "0.0003"),  # what 0.1 + 0.2 looks like at this scale
        ("0.0034000000000000002", "0.0034"),
        ("1e-3", "0.001"),
        ("1.5E2", "150"),
        ("1e-12", "0.000000000001"),
        ("0.0000000000005", "0"),  # half-even
        ("0.0000000000015", "0.000000000002"),
        ("1e-300", "0"),
        ("-0.0", "0"),
        ("1000000", "1000000"),
        ("999999.999999999999", "999999.999999999999"),
        ('"0.000000000001"', "0.000000000001"),
        ('"999999.999999999999"', "999999.999999999999"),
        ('"0.10"', "0.1"),
        ('"0"', "0"),
    ],
)
def test_a_cost_given_by_the_caller_is_kept_to_the_last_digit(
    tenant: Tenant, given: str, kept: str
) -> None:
    body = json.encode(call(model="m")).replace(b"}", b',"cost":' + given.encode() + b"}")

    assert cost_in(tenant.post(body)) == kept
    listed = json.Decoder(list[dict[str, Any]], float_hook=str)
    assert str(listed.decode(tenant.get("/api/v1/logs").content)[0]["cost"]) == kept


@pytest.mark.parametrize(
    "cost",
    [
        '"0.0000000000001"',
        '"1000000.000000000001"',
        '"1e-3"',
        '"-1"',
        '"+1"',
        '" 1"',
        '"1 "',
        '"1\\n"',
        '""',
        '"."',
        '".5"',
        '"1."',
        '"1_000"',
        '"1,5"',
        '"\u0661\u0662"',
        '"NaN"',
        '"Infinity"',
        '"free"',
        "-0.1",
        "-1e-12",
        "1000000.1",
        "1e7",
        "1e308",
        "true",
        "[]",
        "{}",
    ],
)
def test_a_cost_that_is_none_is_refused_by_name(tenant: Tenant, cost: str) -> None:
    body = json.encode(call(model="m")).replace(b"}", b',"cost":' + cost.encode() + b"}")
    answer = tenant.post(body)

    ((_, where, rule),) = errors_in(answer)
    assert where == ["body", "cost"] and "US dollars" in str(rule)
    assert tenant.logs() == []


@pytest.mark.parametrize(
    ("given", "kept"), [("12", 12), (3.0, 3), ("0", 0), (2**53 - 1, 2**53 - 1)]
)
def test_counts_may_be_spelt_as_historic_servers_took_them(
    tenant: Tenant, given: object, kept: int
) -> None:
    tenant.log(model="m", input_tokens=given)

    assert tenant.logs()[0]["input_tokens"] == kept


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/x+json",
    ],
)
def test_any_kind_of_json_is_json(tenant: Tenant, media_type: str) -> None:
    assert tenant.post(call(), Content_Type=media_type).status_code == 200


def test_a_body_without_a_type_is_json(tenant: Tenant) -> None:
    answer = tenant.server.http.post(
        "/api/v1/log", content=json.encode(call()), headers=tenant.headers
    )

    assert "content-type" not in answer.request.headers and answer.status_code == 200


def test_every_missing_field_is_named_at_once(tenant: Tenant) -> None:
    assert errors_in(tenant.post({"provider": "openai"})) == [
        ("missing", ["body", "model"], "Field required"),
        ("missing", ["body", "input_tokens"], "Field required"),
        ("missing", ["body", "output_tokens"], "Field required"),
    ]


def test_every_wrong_type_is_named_at_once(tenant: Tenant) -> None:
    body = {"provider": "openai", "model": 1, "input_tokens": "abc", "output_tokens": 1.5}
    answer = tenant.post(body)
    integer = "Input should be a valid integer"

    assert errors_in(answer) == [
        ("string_type", ["body", "model"], "Input should be a valid string"),
        (
            "int_parsing",
            ["body", "input_tokens"],
            f"{integer}, unable to parse string as an integer",
        ),
        (
            "int_from_float",
            ["body", "output_tokens"],
            f"{integer}, got a number with a fractional part",
        ),
    ]
    assert [error["input"] for error in answer.json()["detail"]] == [1, "abc", 1.5]


def test_metadata_must_be_an_object(tenant: Tenant) -> None:
    expected = [("dict_type", ["body", "metadata"], "Input should be a valid dictionary")]
    for metadata in (None, [], "x", 1):
        assert errors_in(tenant.post(call(metadata=metadata))) == expected


def test_a_conversations_id_is_no_key(tenant: Tenant) -> None:
    for _ in range(3):
        tenant.log(origin="llmring", id_at_origin="conversation-1")

    assert len(tenant.logs()) == 3
