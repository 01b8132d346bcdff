"""What a provider configuration says, and what is wrong with one."""

from pathlib import Path
from typing import Any

import pytest

from llmring_app.errors import CannotStart
from llmring_app.forwarding import providers_of
from llmring_app.settings import Settings
from llmring_core.errors import InvalidField
from llmring_core.gateway.forwarding import providers_in
from tests.builders.forwarding import TIMEOUTS

OPENAI = {
    "base_url": "https://api.openai.com",
    "allowed_endpoints": ["/v1/chat/completions"],
    "allowed_methods": ["post", "GET"],
}
WHOLE = """
default_api: openai
apis:
  openai:
    base_url: https://api.openai.com/v1
    allowed_endpoints: [/v1/chat/completions, /v1/models/*]
    allowed_methods: [GET, POST, OPTIONS]
    timeouts: {request: 2m, response_header: 30s, idle_connection: 1m30s, flush_interval: 10ms}
    connection: {max_idle_conns: 100, max_idle_conns_per_host: 20}
    param_whitelist:
      model: [gpt-4o, gpt-4o-*]
    allowed_origins: [https://a.example]
    required_headers: [Origin]
  anthropic:
    base_url: https://api.anthropic.com
    allowed_endpoints: [/v1/messages]
    allowed_methods: [POST]
    models: [claude-*]
  on:  # a word, not a truth value
    base_url: http://127.0.0.1:8080/openai/v1/
    allowed_endpoints: [/v1/chat/completions]
    allowed_methods: [POST]
    auth: x-goog-api-key
"""


def one(**changes: Any) -> dict[str, Any]:
    return {"apis": {"openai": OPENAI | changes}}


def test_every_key_is_read(tmp_path: Path) -> None:
    file = tmp_path / "providers.yaml"
    file.write_text(WHOLE)

    found = providers_of(Settings(), file)

    openai, claude, local = found.by_name.values()
    assert found.default is openai
    assert (openai.origin, openai.base_path) == ("https://api.openai.com", "/v1")
    assert openai.methods == {"GET", "POST", "OPTIONS"}
    assert openai.timeouts.answer_s == 120
    assert openai.timeouts.first_byte_s == 30
    assert openai.timeouts.keep_alive_s == 90
    assert openai.timeouts.stream_s == Settings().gateway_stream_timeout_s
    assert openai.params == {"model": ("gpt-4o", "gpt-4o-*")}
    assert openai.origins == {"https://a.example"}
    assert openai.required_headers == ("origin",)
    assert openai.asks_for_usage
    assert (openai.credential, claude.credential) == ("bearer", "x-api-key")
    assert claude.models == ("claude-*",)
    assert (local.name, local.base_path) == ("on", "/openai/v1")
    assert local.credential == "x-goog-api-key"


@pytest.mark.parametrize("usual", [True, False])
def test_whether_usage_is_asked_for_is_the_files_word_before_the_settings(usual: bool) -> None:
    for written, expected in [({}, usual), ({"ask_for_usage": not usual}, not usual)]:
        found = providers_in(one(**written), TIMEOUTS, asks_for_usage=usual)
        assert found.default.asks_for_usage is expected


def test_methods_are_upper_case_however_written() -> None:
    assert providers_in(one(), TIMEOUTS).default.methods == {"GET", "POST"}


@pytest.mark.parametrize(
    ("document", "names", "chosen"),
    [
        (None, ["mistral"], "mistral"),
        (None, ["mistral", "openai"], "openai"),
        ("mistral", ["mistral", "openai"], "mistral"),
    ],
)
def test_the_default_is_the_one_named(document: str | None, names: list[str], chosen: str) -> None:
    file = {"apis": dict.fromkeys(names, OPENAI)} | ({"default_api": document} if document else {})

    assert providers_in(file, TIMEOUTS).default.name == chosen
    assert providers_in(file, TIMEOUTS, names[0]).default.name == names[0]


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({}, "the file"),
        ([], "the file"),
        ({"apis": {}}, "apis"),
        ({"apis": {"openai": OPENAI}, "more": 1}, "the file"),
        ({"apis": {"Open AI": OPENAI}}, "apis.Open AI"),
        ({"apis": {"a": OPENAI, "b": OPENAI}}, "default_api"),
        ({"apis": {"a": OPENAI}, "default_api": "b"}, "default_api"),
        (one(base_url="ftp://a"), "apis.openai.base_url"),
        (one(base_url="https://u:p@a"), "apis.openai.base_url"),
        (one(base_url="https://a/?x=1"), "apis.openai.base_url"),
        (one(base_url="https://a:b"), "apis.openai.base_url"),
        (one(base_url="https://a/%2e"), "apis.openai.base_url"),
        (one(base_url=5), "apis.openai.base_url"),
        (one(allowed_endpoints=[]), "apis.openai.allowed_endpoints"),
        (one(allowed_endpoints=["v1"]), "apis.openai.allowed_endpoints"),
        (one(allowed_endpoints=["/v1/../a"]), "apis.openai.allowed_endpoints"),
        (one(allowed_endpoints=["/v1/openai/a"]), "apis.openai.allowed_endpoints"),
        (one(allowed_methods=[]), "apis.openai.allowed_methods"),
        (one(allowed_methods=["CONNECT"]), "apis.openai.allowed_methods"),
        (one(timeouts={"request": "30"}), "apis.openai.timeouts.request"),
        (one(timeouts={"request": "0s"}), "apis.openai.timeouts.request"),
        (one(timeouts={"flush_interval": "soon"}), "apis.openai.timeouts.flush_interval"),
        (one(timeouts={"requests": "1s"}), "apis.openai.timeouts"),
        (one(param_whitelist={"model": []}), "apis.openai.param_whitelist.model"),
        (one(param_whitelist={"Model": ["a"]}), "apis.openai.param_whitelist.Model"),
        (one(auth="basic"), "apis.openai.auth"),
        (one(ask_for_usage="yes"), "apis.openai.ask_for_usage"),
        (one(surprise=1), "apis.openai"),
    ],
)
def test_what_is_wrong_is_named(document: object, place: str) -> None:
    with pytest.raises(InvalidField) as refused:
        providers_in(document, TIMEOUTS)

    assert refused.value.field == place


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "no sound YAML|not sound YAML at line"),
        ("apis: {}\napis: {}", "not sound YAML at line 2"),
        ("!!python/object/apply:os.system [true]", "not sound YAML"),
        ("apis: {openai: {}}", "apis.openai: "),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_start(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "providers.yaml"
    file.write_text(text)

    with pytest.raises(CannotStart, match=said):
        providers_of(Settings(), file)


def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="cannot be read: No such file"):
        providers_of(Settings(), tmp_path / "none.yaml")
