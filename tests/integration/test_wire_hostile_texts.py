"""Texts that break careless programs: stored and given back byte for byte, or refused by name."""

from pathlib import Path
from urllib.parse import quote

import pytest
from msgspec import json

from tests.integration.server import ROOT, Tenant

LIST = Path("shared/data/vectors/strings/blns.json")
TEXTS = [
    "'; DROP TABLE usage_records; --",
    "1 OR 1=1",
    "%",
    "_",
    "\\",
    "\\'",
    '"',
    "%s %(a)s {0} {x} ${7*7} {{7*7}} :name",
    "=cmd|' /C calc'!A0",
    "+1",
    "@x",
    "line\r\nbreak\ttab\x1b[31m\x7f\x01",
    "null",
    "NULL",
    "None",
    "true",
    "0",
    "1e3",
    " leading and trailing ",
    "\ufeffBOM",
    "e\u0301 and \u00e9",
    "\u202eright to left",
    "\u2028\u2029\u0085",
    "a\u200b\u200db",
    "👩\u200d👩\u200d👧\u200d👦🏳️\u200d🌈",
    "\U0010ffff\ufffe\uffff",
    "ﷺ" * 255,
    "Ω≈ç√∫µ≤≥÷",
    "<script>alert(1)</script>",
    "../../etc/passwd",
]


def assert_kept(tenant: Tenant, text: str) -> None:
    """``text`` comes back as it went, wherever it may stand, and finds its row."""
    fields = dict.fromkeys(
        ["provider", "model", "alias", "profile", "origin", "id_at_origin"], text
    )
    tenant.log(**fields, metadata={text: [text]}, cost=1)

    (row,) = tenant.logs(f"model={quote(text, safe='')}&alias={quote(text, safe='')}")
    assert {name: row[name] for name in fields} == fields
    assert row["metadata"] == {text: [text]}
    stats = tenant.stats(f"origin={quote(text, safe='')}")
    assert [*stats["by_model"]] == [*stats["by_alias"]] == [*stats["by_origin"]] == [text]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_kept_as_it_came(tenant: Tenant, text: str) -> None:
    assert_kept(tenant, text)


def test_texts_that_look_alike_stay_apart(tenant: Tenant) -> None:
    alike = ["a", "A", "a ", " a", "á", "a\u0301", "ａ", "а"]  # noqa: RUF001  the point
    for text in alike:
        tenant.log(model=text, cost=1)

    assert {row["model"] for row in tenant.logs()} == set(alike)
    assert tenant.stats()["summary"]["unique_models"] == len(alike)
    assert len(tenant.logs("model=a")) == 1


def test_every_naughty_string_is_kept_as_it_came(tenant: Tenant) -> None:
    found = [folder / LIST for folder in ROOT.parents if (folder / LIST).is_file()]
    if not found:
        pytest.skip(f"The Big List of Naughty Strings was not run: no {LIST} beside this checkout.")
    naughty = json.decode(found[0].read_bytes(), type=list[str])

    short = [text for text in dict.fromkeys(naughty) if 0 < len(text) <= 255]
    for text in short:
        tenant.log(model=text, alias=text, origin=text, metadata={text: text}, cost=1)

    rows = tenant.logs("limit=500") + tenant.logs("limit=500&offset=500")
    assert [row["model"] for row in rows[::-1]] == short
    for row in rows:
        assert row["model"] == row["alias"] == row["origin"]
        assert row["metadata"] == {row["model"]: row["model"]}
    stats = tenant.stats()
    assert stats["by_model"].keys() == stats["by_alias"].keys() == set(short)
