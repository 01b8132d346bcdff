"""Receipts of earlier servers: the same bytes, the same signatures."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json
from nacl.signing import SigningKey

from llmring_core.canonical import MAX_BYTES, NotCanonical, document_in
from llmring_core.receipts.errors import BadReceipt, BadSignature
from llmring_core.receipts.historic import flat_bytes, nested_bytes, shape_of, signed_time
from llmring_core.receipts.signing import sign, verify

VECTORS = json.decode((Path(__file__).parents[2] / "vectors" / "receipts.json").read_bytes())
SEED = bytes.fromhex(VECTORS["key"]["seed_hex"])
PUBLIC_KEY = bytes.fromhex(VECTORS["key"]["public_hex"])
FLAT, NESTED = VECTORS["flat"], VECTORS["nested"]
PLAIN = FLAT[0]["receipt"]


def document(receipt: dict[str, Any]) -> dict[str, object]:
    return document_in(json.encode(receipt))


@pytest.mark.parametrize("vector", FLAT, ids=[vector["name"] for vector in FLAT])
class TestFlat:
    def test_signs_the_same_bytes(self, vector: dict[str, Any]) -> None:
        assert flat_bytes(document(vector["receipt"])).decode() == vector["canonical"]

    def test_has_the_same_signature(self, vector: dict[str, Any]) -> None:
        assert (
            sign(vector["canonical"].encode(), SigningKey(SEED)) == vector["receipt"]["signature"]
        )

    def test_verifies(self, vector: dict[str, Any]) -> None:
        receipt = document(vector["receipt"])
        assert shape_of(receipt) == "flat"
        verify(flat_bytes(receipt), receipt["signature"], PUBLIC_KEY)


@pytest.mark.parametrize("vector", NESTED, ids=[vector["name"] for vector in NESTED])
def test_a_nested_receipt_has_the_same_bytes_and_verifies(vector: dict[str, Any]) -> None:
    receipt = document(vector["receipt"])
    assert shape_of(receipt) == "nested"
    assert nested_bytes(receipt).decode() == vector["canonical"]
    verify(nested_bytes(receipt), receipt["signature"], PUBLIC_KEY)


@given(st.permutations(list(PLAIN)))
def test_the_order_of_members_does_not_matter(order: list[str]) -> None:
    assert flat_bytes(document({name: PLAIN[name] for name in order})) == flat_bytes(
        document(PLAIN)
    )


@given(st.data())
def test_no_byte_of_a_receipt_can_be_changed(data: st.DataObject) -> None:
    signed = json.encode(PLAIN)
    at = data.draw(st.integers(0, len(signed) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != signed[at]))
    changed = signed[:at] + bytes([byte]) + signed[at + 1 :]
    try:
        receipt = document_in(changed)
        message = flat_bytes(receipt)
    except (NotCanonical, BadReceipt):
        return
    if receipt == document(PLAIN):  # the same, spelt in another way
        verify(message, receipt["signature"], PUBLIC_KEY)
        return
    with pytest.raises(BadSignature):
        verify(message, receipt.get("signature"), PUBLIC_KEY)


@pytest.mark.parametrize(
    ("text", "signed"),
    [
        ("2026-11-20T12:00:00Z", "2026-11-20T12:00:00+00:00"),
        ("2026-11-20T12:00:00.000000Z", "2026-11-20T12:00:00+00:00"),
        ("2026-11-20T12:00:00.1+02:00", "2026-11-20T12:00:00.100000+02:00"),
        ("2026-11-20T12:00:00", "2026-11-20T12:00:00"),
        ("2026-11-20 12:00:00.000001", "2026-11-20T12:00:00.000001"),
    ],
)
def test_a_time_is_signed_in_one_form(text: str, signed: str) -> None:
    assert signed_time(text) == signed


@pytest.mark.parametrize(
    "text", ["", "now", "2026-11-20", "2026-11-20T12:00", "2026-11-20T12:00:00z"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(BadReceipt):
        signed_time(text)


@pytest.mark.parametrize(
    "signature",
    [
        None,
        7,
        [],
        "",
        PLAIN["signature"].removeprefix("ed25519:"),
        PLAIN["signature"].replace("ed25519", "ED25519"),
        PLAIN["signature"] + "==",
        PLAIN["signature"] + " ",
        PLAIN["signature"][:-1],
        PLAIN["signature"][:-1] + chr(ord(PLAIN["signature"][-1]) + 1),
        "ed25519:" + "A" * 86,
    ],
)
def test_a_signature_has_one_spelling(signature: object) -> None:
    with pytest.raises(BadSignature):
        verify(flat_bytes(document(PLAIN)), signature, PUBLIC_KEY)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'{"a":NaN}',
        b'{"a":1e999}',
        b'{"a":0.30000000000000000001}',
        b'{"a":9007199254740993}',
        b'{"a":"\\ud800"}',
        b'{"\\ud800":1}',
        b'{"a":' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"a":' + b"[" * 100_000,
        b"[]",
        b"7",
        b"",
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":"' + b"x" * MAX_BYTES + b'"}',
        b'{"a":1}{"b":2}',
        b"{'a':1}",
    ],
)
def test_a_document_that_can_be_read_in_two_ways_is_refused(text: bytes) -> None:
    with pytest.raises(NotCanonical):
        document_in(text)
