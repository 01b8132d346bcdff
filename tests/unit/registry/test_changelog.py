"""The changelog over HTTP: which versions, compared with what, cached for how long."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from msgspec import json

from tests.unit.registry.app import registry_app
from tests.unit.registry.builders import PRICE, entry, published, snapshot

INPUT = f"{PRICE}input"
OPENAI = published("openai", 6, a=entry(), b=entry())
DEARER = published("openai", 7, a=entry(**{INPUT: Decimal("0.075000000001")}), c=entry())
GOOGLE = published("google", 1, g=entry())
VERSIONS = [
    snapshot(("openai", OPENAI), version="2026.07.01", sequence=1),
    snapshot(("openai", OPENAI), ("google", GOOGLE), version="2026.07.01.2", sequence=2),
    snapshot(("openai", DEARER), ("google", GOOGLE), version="2026.08.18", sequence=4),
]
HOUR = "public, max-age=3600"
FOREVER = "public, max-age=31536000, immutable"
NO_CHANGES = {
    "added": 0,
    "removed": 0,
    "price_changed": 0,
    "deprecated": 0,
    "reactivated": 0,
    "updated": 0,
}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient[Litestar]]:
    with TestClient(registry_app(*VERSIONS)) as test_client:
        yield test_client


def read(client: TestClient[Litestar], query: str = "") -> dict[str, Any]:
    answer = client.get(f"/registry/changelog?{query}")
    assert answer.status_code == 200, answer.text
    return dict(json.Decoder(float_hook=Decimal).decode(answer.content))


def pairs(body: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(each["version"], each["previous"]) for each in body["versions"]]


def test_it_lists_each_version_with_the_one_before_newest_first(
    client: TestClient[Litestar],
) -> None:
    body = read(client)
    assert pairs(body) == [
        ("2026.08.18", "2026.07.01.2"),
        ("2026.07.01.2", "2026.07.01"),
        ("2026.07.01", None),
    ]
    assert (body["total"], body["has_more"]) == (3, False)
    assert body["versions"][-1]["summary"] == NO_CHANGES | {"added": 2}


def test_a_version_tells_each_change_exactly(client: TestClient[Litestar]) -> None:
    version = read(client)["versions"][0]
    assert version["released_at"] == "2026-08-18T21:05:03.715411Z"
    assert version["summary"] == NO_CHANGES | {"added": 1, "removed": 1, "price_changed": 1}
    added, removed, changed = version["changes"]
    assert (added["type"], added["model"]) == ("model.added", "openai:c")
    assert added["field"] is None and "old" not in added
    assert added["new"][INPUT] == Decimal("0.075")
    assert (removed["type"], removed["model"]) == ("model.removed", "openai:b")
    assert "new" not in removed and removed["old"]["model_name"] == "b"
    assert changed == {
        "type": "price.changed",
        "provider": "openai",
        "model": "openai:a",
        "field": INPUT,
        "old": Decimal("0.075"),
        "new": Decimal("0.075000000001"),
    }


@pytest.mark.parametrize(
    ("query", "expected", "total"),
    [
        ("limit=1", ["2026.08.18"], 3),
        ("limit=2", ["2026.08.18", "2026.07.01.2"], 3),
        ("since=2026.07.01", ["2026.08.18", "2026.07.01.2"], 2),
        ("since=2026.07.01&limit=1", ["2026.08.18"], 2),
        ("since=2026.08.18", [], 0),
        ("since=&limit=&from=&to=&providers=", ["2026.08.18", "2026.07.01.2", "2026.07.01"], 3),
    ],
)
def test_a_query_chooses_the_versions(
    client: TestClient[Litestar], query: str, expected: list[str], total: int
) -> None:
    body = read(client, query)
    assert [each["version"] for each in body["versions"]] == expected
    assert (body["total"], body["has_more"]) == (total, total > len(expected))


@pytest.mark.parametrize(
    ("query", "expected", "changes"),
    [
        ("from=2026.07.01&to=2026.08.18", ("2026.08.18", "2026.07.01"), 4),
        ("from=2026.08.18&to=2026.07.01", ("2026.07.01", "2026.08.18"), 4),
        ("from=2026.08.18&to=2026.08.18", ("2026.08.18", "2026.08.18"), 0),
        ("from=2026.07.01.2", ("2026.08.18", "2026.07.01.2"), 3),
        ("to=2026.07.01.2", ("2026.07.01.2", "2026.07.01"), 1),
        ("to=2026.07.01", ("2026.07.01", None), 2),
        ("from=6&to=7&providers=openai", ("7", "6"), 3),
        ("from=2026.07.01&to=2026.08.18&providers=Google,+nope", ("2026.08.18", "2026.07.01"), 1),
    ],
)
def test_any_two_versions_can_be_compared(
    client: TestClient[Litestar], query: str, expected: tuple[str, str | None], changes: int
) -> None:
    body = read(client, query)
    assert pairs(body) == [expected]
    assert len(body["versions"][0]["changes"]) == changes


@pytest.mark.parametrize(
    "query", ["since=2026.08.19", "from=2026.08.19", "to=2026.08.19", "since=7", "from=6&to=99"]
)
def test_an_unknown_version_is_not_found(client: TestClient[Litestar], query: str) -> None:
    answer = client.get(f"/registry/changelog?{query}")
    assert (answer.status_code, answer.json()["code"]) == (404, "registry.version-not-found")
    assert "etag" not in answer.headers


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "from=2026-08-18",
        "to=..",
        "to=%00",
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=ten",
        "limit=1&limit=2",
        "since=2026.07.01&to=2026.08.18",
        "since=2026.07.01&from=2026.08.18",
    ],
)
def test_what_makes_no_sense_is_unprocessable(client: TestClient[Litestar], query: str) -> None:
    answer = client.get(f"/registry/changelog?{query}")
    assert answer.status_code == 422
    assert isinstance(answer.json()["detail"], list)


@pytest.mark.parametrize(
    ("query", "lifetime"),
    [
        ("", HOUR),
        ("since=2026.07.01", HOUR),
        ("from=2026.07.01", HOUR),
        ("to=2026.08.18", HOUR),
        ("from=6&to=7", HOUR),
        ("from=2026.07.01&to=2026.08.18", FOREVER),
    ],
)
def test_only_the_difference_of_two_named_versions_is_kept_for_good(
    client: TestClient[Litestar], query: str, lifetime: str
) -> None:
    answer = client.get(f"/registry/changelog?{query}")
    assert answer.headers["cache-control"] == lifetime
    held = {"If-None-Match": answer.headers["etag"]}
    again = client.get(f"/registry/changelog?{query}", headers=held)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == lifetime
