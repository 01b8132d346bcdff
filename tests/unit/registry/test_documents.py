"""Which published files are trusted, and what a snapshot document says and covers."""

from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from llmring_core.registry import BadRegistryFile, ModelKey, document_of, read_file
from llmring_core.registry.documents import content_of, succeeding
from tests.unit.registry.builders import NOON, PRICE, entry, published, snapshot

GOOD = published()
M = ModelKey("openai:m")


def with_price(literal: str, member: str = f"{PRICE}input") -> bytes:
    """Return a file whose price is written as ``literal``."""
    body = published(m=entry(**{member: "HERE"}))
    return body.replace(b'"HERE"', literal.encode())


def with_top(**changes: Any) -> bytes:
    return json.encode(json.decode(GOOD) | changes)


NO_FILES = {
    "nothing": b"",
    "an HTML page": b"<!DOCTYPE html><html><body>404</body></html>",
    "cut short": GOOD[:-10],
    "a member twice": GOOD.replace(b'"version":7', b'"version":6,"version":7'),
    "a price twice": with_price('1,"dollars_per_million_tokens_input":0'),
    "a model twice": GOOD[:-2] + b"," + GOOD[GOOD.index(b'"openai:m"') :],
    "followed by more": GOOD + b"{}",
    "not UTF-8": GOOD.replace(b"Mod", b"\xff\xfe"),
    "a list": b"[]",
    "a string": b'"models"',
    "nested without end": b"[" * 100_000,
    "without models": with_top(models={}),
    "models in a list": with_top(models=[]),
    "a model that is a list": with_top(models={"openai:m": []}),
    "nested without end in a model": with_price("[" * 50_000 + "]" * 50_000, "max_tools"),
    "another provider's": with_top(provider="google"),
    "another provider's model": with_top(models={"google:m": {}}),
    "a model without a provider": with_top(models={"m": {}}),
    "a model without a name": with_top(models={"openai:": {}}),
    "a model under another name": with_top(models={"openai:m": {"model_name": "n"}}),
    "without a version": json.encode({"provider": "openai", "models": {"openai:m": {}}}),
    "a version that is text": with_top(version="7"),
    "version 0": with_top(version=0),
    "a fractional version": with_top(version=7.5),
    "a flag that is text": published(m=entry(supports_vision="yes")),
    "is_active as a number": published(m=entry(is_active=1)),
    "aliases as text": published(m=entry(model_aliases="m-latest")),
    "negative tokens": published(m=entry(max_input_tokens=-1)),
    "an endless integer": with_price("1" * 400, "max_tools"),
    "a number no double carries": with_price("0.1000000000000000000000001", "max_temperature"),
    "a number out of range": with_price("1e999", "max_temperature"),
    "deep nesting in a model": with_price("[" * 40 + "]" * 40, "temperature_values"),
}
NO_PRICES = [
    '"free"',
    '"2.5"',
    '"NaN"',
    "NaN",
    "Infinity",
    "-0.01",
    "-1e-12",
    "1000000.01",
    "1e30",
    "1e999999999",
    "1e-999999999",
    "1e-13",
    "0.0000000000001",
    "0.1234567890123",
    "true",
    "[]",
    "{}",
]
PRICES = ["0", "0.0", "-0", "5", "2.50", "1e-12", "1e3", "0.075", "1000000", "1000000.0", "null"]


@pytest.mark.parametrize("body", NO_FILES.values(), ids=NO_FILES)
def test_a_file_with_anything_wrong_is_refused(body: bytes) -> None:
    with pytest.raises(BadRegistryFile):
        read_file("openai", body)


@pytest.mark.parametrize("literal", NO_PRICES)
@pytest.mark.parametrize("member", [f"{PRICE}input", f"{PRICE}batch_input_of_tomorrow"])
def test_one_bad_price_refuses_the_whole_file(literal: str, member: str) -> None:
    with pytest.raises(BadRegistryFile):
        read_file("openai", with_price(literal, member))


@pytest.mark.parametrize("literal", PRICES)
def test_a_price_is_taken_with_all_its_digits(literal: str) -> None:
    file = read_file("openai", with_price(literal))
    price = file.models[M][f"{PRICE}input"]
    assert price == (None if literal == "null" else Decimal(literal))


prices = st.decimals(0, 1_000_000, places=9).map(lambda price: +price)


@given(prices)
def test_the_document_states_exactly_the_price_that_was_published(price: Decimal) -> None:
    file = read_file("openai", with_price(f"{price:f}"))
    stated = content_of(document_of(file.models)).models[M][f"{PRICE}input"]
    assert stated == price
    assert not isinstance(stated, float)


def test_a_reason_repeats_no_more_than_the_start_of_a_hostile_name() -> None:
    with pytest.raises(BadRegistryFile) as refusal:
        read_file("openai", with_top(models={"openai:" + "x" * 10_000: {"provider": "y" * 199}}))
    assert len(refusal.value.reason) < 300


def test_every_member_passes_through_and_the_usual_ones_are_always_there() -> None:
    facts = read_file("openai", published(m={"novelty": [{"a": None}]})).models[M]
    assert facts["novelty"] == [{"a": None}]
    assert facts["description"] is None and facts["supports_json_mode"] is False
    assert facts["is_active"] is True and facts["model_name"] == "m"


def test_whatever_is_accepted_can_be_published() -> None:
    accepted = []
    for depth in range(1, 30):
        body = with_price("[" * depth + "]" * depth, "temperature_values")
        try:
            accepted.append(read_file("openai", body))
        except BadRegistryFile:
            break
    assert 10 < len(accepted) < 29
    assert all(succeeding(snapshot(), [file], NOON).sequence == 2 for file in accepted)


def test_a_model_that_is_no_longer_active_says_since_when() -> None:
    body = published(
        old=entry(is_active=False, deprecated_date="2026-02-19"),
        planned=entry(is_active=True, deprecated_date="2027-02-19"),
    )
    models = read_file("openai", body).models
    assert models[ModelKey("openai:old")]["inactive_from"] == "2026-02-19"
    assert models[ModelKey("openai:planned")]["inactive_from"] is None
    assert models[ModelKey("openai:old")]["max_context"] == 1_040_384


def test_the_digest_is_that_of_the_canonical_models_and_providers() -> None:
    kept = snapshot()
    content = json.decode(kept.document)
    assert set(content) == {"models", "providers"}
    assert sha256(rfc8785.dumps(content)).hexdigest() == kept.digest


def test_the_same_content_is_no_new_snapshot_however_it_is_written() -> None:
    reordered = json.encode(dict(reversed(json.decode(GOOD).items())))
    latest = snapshot()
    assert succeeding(latest, [read_file("openai", reordered)], NOON) is latest


def test_new_content_is_a_new_snapshot_that_leaves_the_other_providers_alone() -> None:
    latest = snapshot(("openai", GOOD), ("google", published("google", 5, g=entry())))
    changed = read_file("openai", published("openai", 8, new=entry()))
    newer = succeeding(latest, [changed], NOON)
    assert set(content_of(newer.document).models) == {"openai:new", "google:g"}
    assert (newer.version, newer.sequence, newer.published_at) == ("2026.11.20", 2, NOON)
    assert {name: source.version for name, source in newer.sources.items()} == {
        "openai": 8,
        "google": 5,
    }


def test_two_changes_on_one_day_get_two_names() -> None:
    once = succeeding(snapshot(), [read_file("openai", published(a=entry()))], NOON)
    later = NOON + timedelta(hours=3)
    twice = succeeding(once, [read_file("openai", published(b=entry()))], later)
    assert (once.version, twice.version) == ("2026.11.20", "2026.11.20.2")


def test_a_new_edition_that_says_the_same_is_a_version_of_its_own() -> None:
    again = succeeding(snapshot(), [read_file("openai", published(version=8))], NOON)
    assert (again.version, again.digest) == ("2026.11.20", snapshot().digest)
    assert again.sources["openai"].version == 8
