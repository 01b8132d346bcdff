"""Bodies nobody should send: refused by name, alike on every database, and never stored."""

import time
from typing import Any

import pytest
from msgspec import json

from tests.integration.server import Tenant, call

TEXTS = ["provider", "model", "alias", "profile", "origin", "id_at_origin", "client_log_id"]
COUNTS = [
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "reasoning_output_tokens",
    "latency_ms",
]
MAX_TEXT = 255
MAX_COUNT = 2**53 - 1
MAX_METADATA = 16 * 1024
QUICK_S = 1.0
SHAPES = [(b"[", b"]"), (b'{"a":', b"}")]


def refusal(tenant: Tenant, body: object) -> tuple[list[object], str]:
    """Where the one error is, and its rule; nothing may have been stored."""
    answer = tenant.post(body)
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["detail"]
    assert tenant.logs() == [] and tenant.stats()["summary"]["total_requests"] == 0
    return error["loc"], error["msg"]


def with_literal(field: str, literal: bytes) -> bytes:
    """A call whose ``field`` is exactly this JSON."""
    return json.encode(call(**{field: "LITERAL"})).replace(b'"LITERAL"', literal)


def nested(depth: int, shape: tuple[bytes, bytes]) -> bytes:
    """A value that makes the body around it ``depth`` levels deep, and an object itself."""
    opening, closing = shape
    inside = depth - 2
    return b'{"a":' + opening * inside + b"1" + closing * inside + b"}"


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("value", ["\0", "a\0b", "trailing\0"])
def test_no_text_holds_nul(tenant: Tenant, field: str, value: str) -> None:
    where, rule = refusal(tenant, call(**{field: value}))

    assert (where, rule) == (["body", field], "must not contain the NUL character")


@pytest.mark.parametrize(
    "metadata", [{"a": "\0"}, {"\0": 1}, {"a": [{"b": "x\0"}]}, {"a": {"\0": {}}}, {"\\\0": "\\"}]
)
def test_metadata_holds_no_nul(tenant: Tenant, metadata: object) -> None:
    where, rule = refusal(tenant, call(metadata=metadata))

    assert (where, rule) == (["body", "metadata"], "must not contain the NUL character")


def test_metadata_may_hold_what_only_looks_like_nul(tenant: Tenant) -> None:
    metadata = {"\\u0000": "\\\\u0000", "x": "\\\\\\u0000", "y": "\u2400"}
    tenant.log(metadata=metadata)

    assert tenant.logs()[0]["metadata"] == metadata


@pytest.mark.parametrize(
    "literal", [b'"\\ud800"', b'"\\udc00\\ud800"', b'"a\\ud83d"', b'"\\udfff"']
)
@pytest.mark.parametrize("field", ["model", "origin", "prompt"])
def test_no_text_holds_half_a_character(tenant: Tenant, field: str, literal: bytes) -> None:
    where, rule = refusal(tenant, with_literal(field, literal))

    assert where[0] == "body" and rule.startswith("JSON decode error")
    refusal(tenant, with_literal("metadata", b'{"a":' + literal + b"}"))
    refusal(tenant, with_literal("metadata", b"{" + literal + b":1}"))


@pytest.mark.parametrize(
    "bad", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x82", b"\xf5\x80\x80\x80"]
)
@pytest.mark.parametrize("field", ["model", "prompt", "metadata"])
def test_every_text_is_utf8(tenant: Tenant, field: str, bad: bytes) -> None:
    literal = b'{"a":"%s"}' % bad if field == "metadata" else b'"%s"' % bad
    where, rule = refusal(tenant, with_literal(field, literal))

    assert where[0] == "body" and rule.startswith("JSON decode error")


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("character", ["x", "é", "😀", "\u2028"])
def test_a_text_has_at_most_255_characters(tenant: Tenant, field: str, character: str) -> None:
    where, rule = refusal(tenant, call(**{field: character * (MAX_TEXT + 1)}))
    assert (where, rule) == (["body", field], "must have at most 255 characters")

    for length in (MAX_TEXT - 1, MAX_TEXT):
        tenant.log(**{field: character * length})
        assert tenant.logs()[0][field] == character * length


@pytest.mark.parametrize("field", ["provider", "model", "client_log_id"])
def test_a_name_is_not_empty(tenant: Tenant, field: str) -> None:
    assert refusal(tenant, call(**{field: ""})) == (["body", field], "must not be empty")


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("value", [1, 1.5, True, [], {}, ["x"]])
def test_a_text_is_a_text(tenant: Tenant, field: str, value: object) -> None:
    where, rule = refusal(tenant, call(**{field: value}))

    assert (where, rule) == (["body", field], "Input should be a valid string")


@pytest.mark.parametrize("field", COUNTS)
@pytest.mark.parametrize(
    "literal",
    [b"true", b"[]", b"{}", b'"abc"', b'""', b'"0x10"', b'"1_0"', b"1.5", b"1e400", b'"NaN"'],
)
def test_a_count_is_a_whole_number(tenant: Tenant, field: str, literal: bytes) -> None:
    where, rule = refusal(tenant, with_literal(field, literal))

    if literal != b"1e400":  # no number in any JSON reader: refused before fields are looked at
        assert where == ["body", field] and rule.startswith("Input should be a valid integer")


@pytest.mark.parametrize("field", COUNTS)
@pytest.mark.parametrize(
    "value", [-1, -(2**63), 2**53, 2**63 - 1, 2**63, 2**64, 10**400, -(10**400)]
)
def test_a_count_lies_between_0_and_2_to_the_53(tenant: Tenant, field: str, value: int) -> None:
    where, rule = refusal(tenant, with_literal(field, str(value).encode()))

    assert where == ["body", field]
    assert rule.startswith("Input should be ")


@pytest.mark.parametrize("value", [2**31 - 1, 2**31, 2**53 - 1])
def test_a_count_may_be_as_large_as_json_keeps_it(tenant: Tenant, value: int) -> None:
    tenant.log(model="m", **dict.fromkeys(COUNTS, value))

    (row,) = tenant.logs()
    assert row["input_tokens"] == row["latency_ms"] == row["reasoning_output_tokens"] == value


@pytest.mark.parametrize("field", ["input_tokens", "cost", "metadata", "model"])
@pytest.mark.parametrize("digits", [b"9" * 1_000_000, b'"' + b"9" * 1_000_000 + b'"'])
def test_a_million_digits_take_no_time(tenant: Tenant, field: str, digits: bytes) -> None:
    literal = b'{"a":' + digits + b"}" if field == "metadata" else digits
    began = time.monotonic()

    where, _ = refusal(tenant, with_literal(field, literal))

    assert time.monotonic() - began < QUICK_S and where[0] == "body"


@pytest.mark.parametrize(
    "literal", [b"NaN", b"Infinity", b"-Infinity", b"01", b"+1", b".5", b"0x10", b"1.", b"1,"]
)
@pytest.mark.parametrize("field", ["cost", "input_tokens", "unknown"])
def test_what_is_no_json_number_is_no_number(tenant: Tenant, field: str, literal: bytes) -> None:
    where, _ = refusal(tenant, with_literal(field, literal))

    assert where[0] == "body"


@pytest.mark.parametrize("literal", [b"1e999", b"-1e999", b"1e309"])
@pytest.mark.parametrize("field", ["cost", "input_tokens", "metadata"])
def test_what_no_number_can_hold_is_no_number(tenant: Tenant, field: str, literal: bytes) -> None:
    value = b'{"a":%s}' % literal if field == "metadata" else literal
    where, _ = refusal(tenant, with_literal(field, value))

    assert where[0] == "body"


@pytest.mark.parametrize(
    ("fields", "where", "rule"),
    [
        ({"cached_input_tokens": 1001}, "cached_input_tokens", "must not exceed input_tokens"),
        (
            {"reasoning_output_tokens": 201},
            "reasoning_output_tokens",
            "must not exceed output_tokens",
        ),
        ({"cost": -1}, "cost", "must be between 0 and 1000000 US dollars"),
        ({"cost": 1000000.5}, "cost", "must be between 0 and 1000000 US dollars"),
    ],
)
def test_rules_between_fields_name_the_field(
    tenant: Tenant, fields: dict[str, Any], where: str, rule: str
) -> None:
    assert refusal(tenant, call(**fields)) == (["body", where], rule)


@pytest.mark.parametrize("depth", [33, 900, 970, 5_000, 100_000])
@pytest.mark.parametrize("field", ["metadata", "unknown", "model", "cost"])
def test_nothing_is_nested_more_than_32_levels_deep(tenant: Tenant, field: str, depth: int) -> None:
    for shape in SHAPES:
        where, rule = refusal(tenant, with_literal(field, nested(depth, shape)))

        assert (where, rule) == (["body"], "must not be nested more than 32 levels deep")


def test_32_levels_are_kept_as_they_are(tenant: Tenant) -> None:
    for shape in SHAPES:
        value = nested(32, shape)
        tenant.post(with_literal("metadata", value))

        assert tenant.get("/api/v1/logs?limit=1").content.count(value) == 1


@pytest.mark.parametrize("text", ["[" * 200, "]" * 200, '\\"[{' * 99, '"' * 99 + "{" * 99])
def test_brackets_in_texts_are_not_nesting(tenant: Tenant, text: str) -> None:
    tenant.log(metadata={"a": text, text: 1})

    assert tenant.logs()[0]["metadata"] == {"a": text, text: 1}


@pytest.mark.parametrize(
    "body", [b'"' * 10**6, b'\\"' * 500_000, b'["\\"' * 200_000, b"[]" * 500_000, b"{" * 10**6]
)
def test_a_million_brackets_or_quotes_take_no_time(tenant: Tenant, body: bytes) -> None:
    began = time.monotonic()
    refusal(tenant, body)

    assert time.monotonic() - began < QUICK_S


def test_metadata_has_at_most_16_kib(tenant: Tenant) -> None:
    empty = len(json.encode({"a": ""}))
    where, rule = refusal(tenant, call(metadata={"a": "x" * (MAX_METADATA - empty + 1)}))
    assert (where, rule) == (["body", "metadata"], "must have at most 16384 bytes as JSON")
    refusal(tenant, call(metadata={"a": "é" * (MAX_METADATA // 2)}))
    refusal(tenant, call(metadata={f"key-{n}": n for n in range(10_000)}))

    for full in ("x" * (MAX_METADATA - empty), "é" * ((MAX_METADATA - empty) // 2)):
        tenant.log(metadata={"a": full})
        assert tenant.logs()[0]["metadata"] == {"a": full}


@pytest.mark.parametrize(
    "body",
    [b"[]", b"1", b'"x"', b"null", b"true", b"[{}]"],
)
def test_a_body_is_an_object(tenant: Tenant, body: bytes) -> None:
    where, rule = refusal(tenant, body)

    assert where == ["body"]
    assert rule == "Input should be a valid dictionary or object to extract fields from"


def test_a_body_is_needed(tenant: Tenant) -> None:
    assert refusal(tenant, b"") == (["body"], "Field required")


@pytest.mark.parametrize(
    "body",
    [
        b'{"provider":',
        b"   ",
        b"{}{}",
        b"{} x",
        b'{"a":1,}',
        b"{'a':1}",
        b"{/* */}",
        b"\xef\xbb\xbf{}",
        '{"provider":"p"}'.encode("utf-16"),
        b"\0",
        b"{",
    ],
)
def test_a_body_is_one_json_document(tenant: Tenant, body: bytes) -> None:
    where, rule = refusal(tenant, body)

    assert where[0] == "body" and isinstance(where[1], int)
    assert rule.startswith("JSON decode error")
