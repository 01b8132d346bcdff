"""What the gateway answers by itself: in the provider's form, marked, before anybody is asked."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec import json

from llmring_core.errors import Overloaded
from llmring_core.gateway.auditing import PROXY_REQUEST, AuditSelection, PageNumber
from llmring_core.gateway.forwarding import Asked, Meter
from llmring_core.usage import TotalsOverflow, UsageRecord
from tests.builders.usage import RECORD
from tests.integration.gateway import (
    TOKEN,
    FrameMeter,
    Gateway,
    error_of,
    gateway,
    post,
    split,
)
from tests.integration.server import running
from tests.integration.upstream import ScriptedUpstream, always, upstream, whole

AUTHORIZED = b"Authorization: Bearer " + TOKEN.encode()
YAML = """
apis:
  openai:
    base_url: {url}
    allowed_endpoints: [/v1/chat/completions, /v1/models]
    allowed_methods: [GET, POST, OPTIONS]
    param_whitelist: {{model: [gpt-4o, gpt-4o-*]}}
    allowed_origins: [https://a.example]
  anthropic:
    base_url: {url}
    allowed_endpoints: [/v1/messages]
    allowed_methods: [POST]
    models: [claude-*]
"""


class Case(NamedTuple):
    request: bytes
    status: int
    code: str


def get(path: bytes, *headers: bytes, method: bytes = b"GET") -> bytes:
    lines = [method + b" " + path + b" HTTP/1.1", b"Host: a", b"Connection: close", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


GOOD = b'{"model":"gpt-4o"}'
CASES = {
    "an address of nobody": Case(post(GOOD, path=b"/v1/nothing"), 404, "endpoint_not_found"),
    "dot segments": Case(
        post(GOOD, path=b"/v1/models/../chat/completions"), 404, "endpoint_not_found"
    ),
    "an encoded slash": Case(post(GOOD, path=b"/v1/chat%2fcompletions"), 404, "endpoint_not_found"),
    "a longer word": Case(post(GOOD, path=b"/v1/chat/completionsX"), 404, "endpoint_not_found"),
    "a method": Case(get(b"/v1/models", AUTHORIZED, method=b"DELETE"), 405, "method_not_allowed"),
    "a method in disguise": Case(
        get(b"/v1/chat/nothing", AUTHORIZED, b"X-HTTP-Method-Override: DELETE"),
        404,
        "endpoint_not_found",
    ),
    "a model": Case(post(b'{"model":"gpt-5"}'), 400, "param_not_allowed"),
    "a model with a charset": Case(
        post(b'{"model":"gpt-5"}').replace(b"/json", b"/json; charset=utf-8"),
        400,
        "param_not_allowed",
    ),
    "a body that cannot be looked at": Case(
        post(GOOD).replace(b"application/json", b"text/plain"), 400, "param_not_allowed"
    ),
    "another page": Case(post(GOOD, b"Origin: https://b.example"), 403, "origin_not_allowed"),
    "a key in the address": Case(
        post(GOOD, path=b"/v1/chat/completions?key=a"), 400, "credential_in_query"
    ),
    "no token": Case(post(GOOD).replace(AUTHORIZED, b"X-A: b"), 401, "invalid_token"),
    "a token where only others put theirs": Case(
        post(GOOD).replace(b"Authorization: Bearer", b"X-API-Key:"), 401, "invalid_token"
    ),
    "two tokens": Case(post(GOOD, AUTHORIZED), 401, "invalid_token"),
    "a token of nobody": Case(
        post(GOOD).replace(TOKEN.encode(), b"sk-nobody"), 401, "invalid_token"
    ),
    "a provider without a key": Case(
        post(b'{"model":"claude-4"}', path=b"/v1/anthropic/messages"), 503, "upstream_auth_error"
    ),
    "an encoded body": Case(post(GOOD, b"Content-Encoding: gzip"), 415, "unsupported_media_type"),
    "another protocol": Case(post(GOOD, b"Upgrade: websocket"), 426, "upgrade_refused"),
    "too long a body": Case(
        post(GOOD).replace(b"Content-Length: 18", b"Content-Length: 99999"),
        413,
        "request_too_large",
    ),
}


class Running(NamedTuple):
    server: Gateway
    provider: ScriptedUpstream


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Running]:
    async with (
        upstream(always(whole(b"{}"))) as provider,
        gateway(tmp_path, provider.url, YAML, gateway_max_body_bytes=2048) as server,
    ):
        yield Running(server, provider)


async def test_every_refusal_has_its_status_and_code_and_asks_nobody(both: Running) -> None:
    for name, case in CASES.items():
        answer = await both.server.raw(case.request)

        status, headers, body = split(answer)
        error = json.decode(body)["error"]
        assert (status, error["code"]) == (case.status, case.code), name
        assert headers["x-llmring-error"] == case.code, name
        assert headers["content-type"] == "application/json", name
        if "anthropic" not in name and "without a key" not in name:
            assert error.keys() == {"message", "type", "param", "code"}, name
    assert both.provider.sent == []
    assert await both.server.records() == []


async def test_refusals_tell_what_helps(both: Running) -> None:
    _, method, _ = split(await both.server.raw(CASES["a method"].request))
    _, token, _ = split(await both.server.raw(CASES["no token"].request))
    model = error_of(await both.server.raw(CASES["a model"].request))

    assert method["allow"] == "get, options, post"
    assert token["www-authenticate"] == "bearer"
    assert model["param"] == "model"
    assert model["message"] == (
        "Parameter 'model' value 'gpt-5' is not allowed. Allowed patterns: [gpt-4o gpt-4o-*]"
    )


async def test_callers_of_anthropic_are_answered_in_its_form(both: Running) -> None:
    _, headers, body = split(
        await both.server.raw(post(b'{"model":"claude-4"}', path=b"/v1/messages"))
    )

    answer = json.decode(body)
    assert answer["type"] == "error"
    assert answer["error"]["type"] == "api_error"
    assert answer["error"]["code"] == headers["x-llmring-error"] == "upstream_auth_error"
    assert answer["request_id"] == headers["x-request-id"]


async def test_a_body_that_grows_too_long_is_refused_as_it_comes(tmp_path: Path) -> None:
    request = post(b"", path=b"/v1/files")
    request = request.replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    request = request.replace(b"application/json", b"text/plain")
    chunks = b"400\r\n" + b"x" * 1024 + b"\r\n"
    async with (
        upstream(always(whole(b"{}"))) as provider,
        gateway(tmp_path, provider.url, gateway_max_body_bytes=2048) as server,
    ):
        answer = await server.raw(request + chunks * 3 + b"0\r\n\r\n")

    assert (split(answer)[0], error_of(answer)["code"]) == (413, "request_too_large")
    assert provider.sent == []


async def test_browsers_are_told_who_may_call(both: Running) -> None:
    asked = [b"Access-Control-Request-Headers: x-a", b"Access-Control-Request-Method: POST"]
    status, allowed, body = split(
        await both.server.raw(
            get(b"/v1/chat/completions", b"Origin: https://a.example", *asked, method=b"OPTIONS")
        )
    )
    other_status, other, _ = split(
        await both.server.raw(
            get(b"/v1/chat/completions", b"Origin: https://b.example", *asked, method=b"OPTIONS")
        )
    )
    _, answered, _ = split(await both.server.raw(post(GOOD, b"Origin: https://a.example")))
    _, refused, _ = split(
        await both.server.raw(post(b'{"model":"gpt-5"}', b"Origin: https://a.example"))
    )

    assert (status, other_status, body) == (204, 204, b"")
    assert allowed["access-control-allow-origin"] == "https://a.example"
    assert allowed["access-control-allow-headers"] == "x-a"
    assert "access-control-allow-origin" not in other
    assert answered["access-control-allow-origin"] == "https://a.example"
    assert refused["access-control-allow-origin"] == "https://a.example"
    assert len(both.provider.sent) == 1


async def test_what_cannot_be_recorded_is_not_given(tmp_path: Path) -> None:
    class Full:
        async def __call__(self, _: object) -> None:
            raise TotalsOverflow

    async with (
        upstream(always(whole(b'{"usage":7}'))) as provider,
        gateway(tmp_path, provider.url, record=Full()) as server,
    ):
        answer = await server.raw(post())

    assert split(answer)[0] == 422
    assert b"usage" not in split(answer)[2]


async def test_what_is_paid_for_waits_for_a_server_that_is_overloaded(tmp_path: Path) -> None:
    class Busy:
        tries = 0

        async def __call__(self, _: object) -> UsageRecord:
            self.tries += 1
            if self.tries < 3:
                raise Overloaded
            return RECORD

    busy = Busy()
    async with (
        upstream(always(whole(b'{"usage":7}'))) as provider,
        gateway(tmp_path, provider.url, record=busy) as server,
    ):
        status, _, body = split(await server.raw(post()))

    assert (status, body) == (200, b'{"usage":7}')
    assert (busy.tries, len(provider.sent)) == (3, 1)


async def test_a_meter_that_fails_keeps_no_answer_back(tmp_path: Path) -> None:
    class Failing(FrameMeter):
        def feed(self, piece: bytes) -> bool:
            raise RuntimeError(piece)

    def failing(asked: Asked) -> Meter:
        return Failing(asked)

    async with (
        upstream(always(whole(b'{"usage":7}'))) as provider,
        gateway(tmp_path, provider.url, meters=failing) as server,
    ):
        status, _, body = split(await server.raw(post()))
        [record] = await server.records()

    assert (status, body) == (200, b'{"usage":7}')
    assert (record.attempt_status, record.usage_source) == ("complete", "missing")


def test_without_providers_there_is_no_gateway(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        answer = server.http.post("/v1/chat/completions", json={"model": "gpt-4o"})

    assert answer.status_code == 404
    assert "x-llmring-error" not in answer.headers


def test_a_server_without_tokens_admits_nobody(tmp_path: Path) -> None:
    file = tmp_path / "providers.yaml"
    file.write_text(YAML.format(url="http://127.0.0.1:9"))
    with running(tmp_path, api_config_path=str(file)) as server:
        answer = server.http.post(
            "/v1/chat/completions",
            json={"model": "gpt-4o"},
            headers={"Authorization": f"Bearer {TOKEN}"},
        )

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "token_not_found"


async def test_whoever_is_not_let_in_is_in_the_audit_log(both: Running) -> None:
    call = post().replace(TOKEN.encode(), b"sk-" + b"x" * 22)
    status, headers, _ = split(await both.server.raw(call))
    assert status == 401
    assert split(await both.server.raw(post(b'{"model":"gpt-4o"}')))[0] == 200

    async with both.server.container.read()() as work:
        page = await work.audit.page(AuditSelection(action=PROXY_REQUEST), PageNumber())
    [event] = [one for one in page.events if one.request_id == headers["x-request-id"]]
    assert (event.outcome, event.actor) == ("denied", "anonymous")
    assert (event.method, event.path) == ("POST", "/v1/chat/completions")
    assert "xxxxxxxx" not in str(event)
