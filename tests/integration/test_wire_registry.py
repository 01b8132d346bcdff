"""The registry over the wire: the same models under every address, cached as clients can use it."""

from typing import Any

import pytest
from msgspec import json

from tests.integration.server import Tenant

HOUR = "public, max-age=3600"
FOREVER = "public, max-age=31536000, immutable"
FORMS = ["/registry", "/registry/", "/registry.json", "/registry.json/"]
GPT = "openai:gpt-4.1"
GPT_FACTS = {  # as recorded from the historic server
    "provider": "openai",
    "model_name": "gpt-4.1",
    "display_name": "GPT-4.1",
    "supports_vision": True,
    "supports_function_calling": True,
    "supports_json_mode": True,
    "supports_parallel_tool_calls": True,
    "tool_call_format": None,
    "dollars_per_million_tokens_input": 2.0,
    "dollars_per_million_tokens_output": 8.0,
    "is_active": True,
}
PROVIDERS = {  # as recorded, too
    "openai": {
        "name": "OpenAI",
        "base_url": "https://api.openai.com/v1",
        "models_endpoint": "/models",
    },
    "anthropic": {
        "name": "Anthropic",
        "base_url": "https://api.anthropic.com",
        "models_endpoint": None,
    },
    "google": {
        "name": "Google",
        "base_url": "https://generativelanguage.googleapis.com",
        "models_endpoint": "/v1/models",
    },
}


def registry(anyone: Tenant, query: str = "") -> dict[str, Any]:
    answer = anyone.get(f"/registry?{query}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def providers_of(body: dict[str, Any]) -> set[str]:
    return {model["provider"] for model in body["models"].values()}


@pytest.mark.parametrize("form", FORMS)
def test_it_is_public_and_the_same_under_every_address(anyone: Tenant, form: str) -> None:
    answer = anyone.server.http.get(form)

    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == HOUR
    assert answer.content == anyone.get("/registry").content


def test_a_model_has_the_members_historic_clients_read(anyone: Tenant) -> None:
    body = registry(anyone)
    model = body["models"][GPT]

    assert GPT_FACTS.items() <= model.items()
    assert {"description", "max_input_tokens", "max_output_tokens"} <= model.keys()
    assert body["providers"] == PROVIDERS
    assert "vision" in body["capabilities"] and body["generated_at"].endswith("Z")


def test_a_fresh_machine_without_internet_knows_three_families(anyone: Tenant) -> None:
    models = registry(anyone)["models"]
    priced = {
        key.split(":")[0]
        for key, model in models.items()
        if model["dollars_per_million_tokens_input"] is not None
    }

    assert priced == {"openai", "anthropic", "google"}


@pytest.mark.parametrize("given", ["openai", "OpenAI", "%20openai%20,nope", "openai,openai"])
def test_providers_restrict_it(anyone: Tenant, given: str) -> None:
    body = registry(anyone, f"providers={given}")

    assert providers_of(body) == {"openai"}
    assert body["providers"] == PROVIDERS


def test_an_unknown_provider_has_no_models(anyone: Tenant) -> None:
    body = registry(anyone, "providers=nope")

    assert body["models"] == {} and body["providers"] == PROVIDERS


def test_capabilities_must_all_be_there(anyone: Tenant) -> None:
    models = registry(anyone, "capabilities=vision,function_calling")["models"]

    assert models and all(m["supports_vision"] for m in models.values())
    assert all(m["supports_function_calling"] for m in models.values())
    assert len(models) < len(registry(anyone)["models"])


def test_an_unknown_capability_is_unprocessable(anyone: Tenant) -> None:
    # The historic server matches nothing, silently; the API contract (4.3) wants to be told.
    answer = anyone.get("/registry?capabilities=nosuch")

    assert answer.status_code == 422
    (error,) = answer.json()["detail"]
    assert error["loc"] == ["query", "capabilities"] and "vision" in error["msg"]


def test_empty_parameters_are_absent_ones(anyone: Tenant) -> None:
    assert registry(anyone, "version=&providers=&capabilities=") == registry(anyone)


def test_a_version_is_the_same_content_for_good(anyone: Tenant) -> None:
    now = registry(anyone)
    answer = anyone.get(f"/registry/v/{now['version']}/registry.json")

    assert (answer.status_code, answer.json()) == (200, now)
    assert answer.headers["cache-control"] == FOREVER
    assert registry(anyone, f"version={now['version']}") == now


@pytest.mark.parametrize("version", ["1999.01.01", "nope", "1e9", "2026.13.99"])
def test_an_unknown_version_is_not_found(anyone: Tenant, version: str) -> None:
    # The historic server declares an empty body immutable for a year here (contract 1.2).
    for path in (f"/registry/v/{version}/registry.json", f"/registry?version={version}"):
        answer = anyone.get(path)

        assert (answer.status_code, answer.json()["detail"]) == (404, "Registry version not found")
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", [*FORMS, "/registry/openai/models.json"])
@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', '"a",W/{},"b"', "*"])
def test_who_has_it_is_not_sent_it_again(anyone: Tenant, path: str, form: str) -> None:
    etag = anyone.get(path).headers["etag"]

    answer = anyone.get(path, If_None_Match=form.format(etag))

    assert (answer.status_code, answer.content) == (304, b"")
    assert (answer.headers["etag"], answer.headers["cache-control"]) == (etag, HOUR)


def test_who_has_it_in_two_headers_is_not_sent_it_again(anyone: Tenant) -> None:
    etag = anyone.get("/registry").headers["etag"]
    held = [("If-None-Match", '"other"'), ("If-None-Match", etag)]

    assert anyone.server.http.get("/registry", headers=held).status_code == 304


@pytest.mark.parametrize("held", ["", '"2025-08-20"', "garbage", '"', "W/*"])
def test_who_has_something_else_is_sent_it(anyone: Tenant, held: str) -> None:
    assert anyone.get("/registry", If_None_Match=held).status_code == 200


def test_each_selection_has_an_etag_of_its_own(anyone: Tenant) -> None:
    queries = ["", "providers=openai", "capabilities=vision"]
    etags = {anyone.get(f"/registry?{query}").headers["etag"] for query in queries}

    assert len(etags) == 3
    assert all(etag.startswith(f'"{registry(anyone)["version"]}-') for etag in etags)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google"])
def test_the_providers_files_are_mirrored_for_the_clients_own_registry(
    anyone: Tenant, provider: str
) -> None:
    answer = anyone.get(f"/registry/{provider}/models.json")
    body = answer.json()

    assert (body["provider"], type(body["version"])) == (provider, int)
    assert body["models"].keys() == registry(anyone, f"providers={provider}")["models"].keys()
    assert anyone.get(f"/registry//{provider}/models.json").content == answer.content


def test_the_manifest_names_the_files(anyone: Tenant) -> None:
    body = anyone.get("/registry/manifest.json").json()

    assert body["version"] == registry(anyone)["version"]
    assert body["providers"]["openai"]["file"] == "openai/models.json"


def test_prices_have_no_exponent_and_no_noise(anyone: Tenant) -> None:
    as_written = json.Decoder(dict[str, Any], float_hook=str)
    models = as_written.decode(anyone.get("/registry").content)["models"]
    written = [
        str(value)
        for model in models.values()
        for name, value in model.items()
        if name.startswith("dollars_per") and value is not None
    ]

    assert written and all(len(text) <= 12 and "e" not in text.lower() for text in written)
