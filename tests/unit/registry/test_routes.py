"""The registry over HTTP: what bodies hold, and how they are cached."""

from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256

import pytest
import rfc8785
from litestar import Litestar
from litestar.testing import TestClient
from msgspec import json

from llmring_core.registry import (
    read_file,
)
from llmring_http.conditional import Representations
from tests.unit.registry.app import registry_app
from tests.unit.registry.builders import NOON, PRICE, entry, published, snapshot

OPENAI = published("openai", 7, gpt=entry(), text=entry(supports_vision=False))
OLD = snapshot(("openai", published("openai", 6, gpt=entry())), version="2026.07.01", sequence=1)
NOW = snapshot(
    ("openai", OPENAI),
    ("google", published("google", 5, gem=entry(**{f"{PRICE}input": Decimal("0.000000000001")}))),
    sequence=2,
)
HOUR = "public, max-age=3600"
CACHED = ["/registry", "/registry.json", "/registry/manifest.json", "/registry/openai/models.json"]


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient[Litestar]]:
    with TestClient(registry_app(OLD, NOW)) as test_client:
        yield test_client


@pytest.mark.parametrize("path", ["/registry", "/registry/", "/registry.json", "/registry.json/"])
def test_the_whole_registry_under_each_of_its_addresses(
    client: TestClient[Litestar], path: str
) -> None:
    answer = client.get(path)
    body = answer.json()
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    assert (body["version"], body["generated_at"]) == ("2026.08.18", "2026-08-18T21:05:03.715411Z")
    assert set(body["models"]) == {"openai:gpt", "openai:text", "google:gem"}
    assert body["providers"]["anthropic"] == {
        "name": "Anthropic",
        "base_url": "https://api.anthropic.com",
        "models_endpoint": None,
    }
    assert {"vision", "reasoning"} <= set(body["capabilities"])


def test_a_model_has_every_member_and_its_prices_are_numbers_with_all_their_digits(
    client: TestClient[Litestar],
) -> None:
    body = json.Decoder(float_hook=Decimal).decode(client.get("/registry").content)
    model = body["models"]["google:gem"]
    assert model[f"{PRICE}input"] == Decimal("0.000000000001")
    assert (model["display_name"], model["max_context"]) == ("Modèle №1", 1_040_384)
    assert model["inactive_from"] is None and model["description"] is None


def test_anybody_can_recompute_the_digest_from_the_body(client: TestClient[Litestar]) -> None:
    body = client.get("/registry").json()
    content = {"models": body["models"], "providers": body["providers"]}
    assert sha256(rfc8785.dumps(content)).hexdigest() == body["digest"] == NOW.digest


@pytest.mark.parametrize(
    ("query", "models"),
    [
        ("providers=OpenAI", {"openai:gpt", "openai:text"}),
        ("providers=nope", set()),
        ("providers=+google+,+nope+", {"google:gem"}),
        ("providers=&capabilities=&version=", {"openai:gpt", "openai:text", "google:gem"}),
        ("providers=,", {"openai:gpt", "openai:text", "google:gem"}),
        ("capabilities=+vision+", {"openai:gpt", "google:gem"}),
        ("providers=openai&capabilities=vision", {"openai:gpt"}),
        ("version=2026.07.01", {"openai:gpt"}),
    ],
)
def test_queries_filter_and_choose_the_version(
    client: TestClient[Litestar], query: str, models: set[str]
) -> None:
    assert set(client.get(f"/registry?{query}").json()["models"]) == models


def test_an_unknown_capability_is_unprocessable(client: TestClient[Litestar]) -> None:
    answer = client.get("/registry?capabilities=vision,__class__")
    assert answer.status_code == 422 and "capabilities" in answer.text


def test_a_version_is_served_for_good(client: TestClient[Litestar]) -> None:
    answer = client.get("/registry/v/2026.07.01/registry.json")
    assert answer.json()["version"] == "2026.07.01"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["etag"].startswith('"2026.07.01-')


@pytest.mark.parametrize(
    "version",
    ["2026.07.02", "999", "..", "%2e%2e", "%00", "2026.07.01%0a", "2026.07.01%3Fx%23y", "9" * 1024],
)
def test_an_unknown_version_is_not_found_and_not_cached(
    client: TestClient[Litestar], version: str
) -> None:
    answer = client.get(f"/registry/v/{version}/registry.json")
    assert answer.status_code == 404 and "etag" not in answer.headers
    assert "max-age" not in answer.headers.get("cache-control", "")


def test_an_unknown_version_says_so(client: TestClient[Litestar]) -> None:
    answer = client.get("/registry?version=2026.07.02")
    assert (answer.status_code, answer.json()["detail"]) == (404, "Registry version not found")


@pytest.mark.parametrize("path", CACHED)
def test_an_etag_names_the_version_and_the_exact_bytes(
    client: TestClient[Litestar], path: str
) -> None:
    answer = client.get(path)
    digest = sha256(answer.content).hexdigest()[:16]
    assert answer.headers["etag"] == f'"2026.08.18-{digest}"'
    assert answer.headers["cache-control"] == HOUR
    assert answer.headers["vary"] == "Accept-Encoding"


def test_a_filtered_body_has_an_etag_of_its_own(client: TestClient[Litestar]) -> None:
    paths = ["/registry", "/registry?providers=google", "/registry?capabilities=vision"]
    assert len({client.get(path).headers["etag"] for path in paths}) == 3


@pytest.mark.parametrize("path", CACHED)
@pytest.mark.parametrize("form", ["{}", "W/{}", '"a", {}', '"a",W/{} , "b"', "*"])
def test_a_client_that_has_the_body_is_not_sent_it_again(
    client: TestClient[Litestar], path: str, form: str
) -> None:
    etag = client.get(path).headers["etag"]
    answer = client.get(path, headers={"If-None-Match": form.format(etag)})
    assert (answer.status_code, answer.content) == (304, b"")
    assert (answer.headers["etag"], answer.headers["cache-control"]) == (etag, HOUR)


@pytest.mark.parametrize("held", ["", '"2026.08.18"', '"*"', "2026.08.18", '"a", "b"', "W/*"])
def test_a_client_that_has_another_body_is_sent_this_one(
    client: TestClient[Litestar], held: str
) -> None:
    answer = client.get("/registry", headers={"If-None-Match": held})
    assert answer.status_code == 200 and answer.json()["models"]


@pytest.mark.parametrize("path", ["/registry/openai/models.json", "/registry//openai/models.json"])
def test_a_mirrored_file_can_be_read_as_a_published_one(
    client: TestClient[Litestar], path: str
) -> None:
    answer = client.get(path)
    body = answer.json()
    assert (body["provider"], body["version"]) == ("openai", 7)
    assert body["updated_at"] == "2026-08-18T17:29:16.542543"
    assert "max_context" not in body["models"]["openai:gpt"]
    assert read_file("openai", answer.content) == read_file("openai", OPENAI)


@pytest.mark.parametrize("provider", ["anthropic", "ollama", "OPENAI", "%2e%2e"])
def test_a_provider_without_a_file_is_not_found(
    client: TestClient[Litestar], provider: str
) -> None:
    assert client.get(f"/registry/{provider}/models.json").status_code == 404


def test_an_older_edition_of_a_file_is_mirrored(client: TestClient[Litestar]) -> None:
    answer = client.get("/registry/openai/v/6/models.json")
    assert (answer.json()["version"], set(answer.json()["models"])) == (6, {"openai:gpt"})
    assert answer.headers["cache-control"] == HOUR
    newest = client.get("/registry/openai/v/7/models.json")
    assert newest.content == client.get("/registry/openai/models.json").content


@pytest.mark.parametrize("edition", ["5", "8", "0", "-1", "07", "x", "%2e%2e", "9" * 400])
def test_an_edition_never_in_force_is_not_found(client: TestClient[Litestar], edition: str) -> None:
    assert client.get(f"/registry/openai/v/{edition}/models.json").status_code == 404
    assert client.get("/registry/ollama/v/7/models.json").status_code == 404


@pytest.mark.parametrize("path", ["/registry/v/7/registry.json", "/registry?version=7"])
def test_a_number_gathers_that_edition_of_every_file(
    client: TestClient[Litestar], path: str
) -> None:
    answer = client.get(path)
    body = answer.json()
    assert (body["version"], set(body["models"])) == ("7", {"openai:gpt", "openai:text"})
    content = {"models": body["models"], "providers": body["providers"]}
    assert sha256(rfc8785.dumps(content)).hexdigest() == body["digest"]
    assert answer.headers["cache-control"] == HOUR  # another provider's 7th may come


def test_what_is_in_force_tells_how_far_it_can_be_trusted(client: TestClient[Litestar]) -> None:
    answer = client.get("/registry")
    assert answer.headers["x-registry-status"] == "stale"
    assert answer.headers["age"] == str(int((NOON - NOW.published_at).total_seconds()))
    held = {"If-None-Match": answer.headers["etag"]}
    assert client.get("/registry", headers=held).headers["x-registry-status"] == "stale"
    for path in ("/registry?version=2026.07.01", "/registry/v/2026.07.01/registry.json"):
        assert "age" not in client.get(path).headers


def test_the_manifest_lists_the_files(client: TestClient[Litestar]) -> None:
    body = client.get("/registry/manifest.json").json()
    assert body["version"] == "2026.08.18" and set(body["providers"]) == {"openai", "google"}
    assert body["providers"]["openai"] == {
        "file": "openai/models.json",
        "model_count": 2,
        "last_updated": "2026-08-18T17:29:16.542543",
        "version": 7,
    }


def test_a_body_is_encoded_once_and_the_oldest_is_forgotten_first() -> None:
    encoded: list[str] = []
    bodies = Representations(limit=2)

    def encode() -> bytes:
        encoded.append(name)
        return name.encode()

    for name in ["a", "b", "a", "c", "a", "b"]:
        assert bodies.get("v", name, encode).body == name.encode()
    assert encoded == ["a", "b", "c", "b"]
