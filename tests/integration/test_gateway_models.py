"""What a project means by the name of a model is what is asked for, checked and recorded."""

from pathlib import Path

from msgspec import json

from llmring_core.gateway.forwarding import ResolveModel
from llmring_core.ids import ProjectId
from tests.builders.kernel import P1
from tests.integration.gateway import YAML, error_of, gateway, post, split
from tests.integration.upstream import always, upstream, whole

GOOD = whole(b'{"usage":3}')
CLAUDE = """  anthropic:
    base_url: {other}
    allowed_endpoints: [/v1/chat/completions]
    allowed_methods: [POST]
    models: [claude-*]
    param_whitelist: {{model: [claude-4*]}}
"""
KEYS = ("openai", "anthropic")
MEANT = {"fast": "gpt-4o-mini", "best": "claude-4-opus", "old": "claude-2"}


class Aliases(ResolveModel):
    """Every project means the same by a few names."""

    def __init__(self) -> None:
        self.asked: list[tuple[ProjectId, str]] = []

    async def __call__(self, project: ProjectId, model: str) -> str:
        self.asked.append((project, model))
        return MEANT.get(model, model)


def yaml(url: str) -> str:
    return YAML + CLAUDE.replace("{other}", url)


async def test_the_model_meant_is_asked_for_and_recorded(tmp_path: Path) -> None:
    aliases, events = Aliases(), tmp_path / "events.jsonl"
    async with (
        upstream(always(GOOD)) as provider,
        gateway(tmp_path, provider.url, resolve=aliases, file_event_log=events) as server,
    ):
        status = split(await server.raw(post(b'{ "model": "fast" ,"n":1}')))[0]
        [record] = await server.records()

    [sent] = provider.sent
    assert (status, sent.body) == (200, b'{ "model": "gpt-4o-mini" ,"n":1}')
    assert sent.header("content-length") == [str(len(sent.body))]
    assert (record.model, aliases.asked) == ("gpt-4o-mini", [(P1, "fast")])
    assert json.decode(events.read_bytes())["model"] == "gpt-4o-mini"


async def test_a_stream_is_still_made_to_tell_its_usage(tmp_path: Path) -> None:
    async with (
        upstream(always(GOOD)) as provider,
        gateway(tmp_path, provider.url, resolve=Aliases()) as server,
    ):
        await server.raw(post(b'{"model":"fast","stream":true}'))

    [sent] = provider.sent
    options = b'"stream_options":{"include_usage":true},'
    assert sent.body == b"{" + options + b'"model":"gpt-4o-mini","stream":true}'


async def test_its_provider_and_that_ones_rules_are_those_of_the_model_meant(
    tmp_path: Path,
) -> None:
    async with (
        upstream(always(GOOD)) as first,
        upstream(always(GOOD)) as other,
        gateway(tmp_path, first.url, yaml(other.url), keys=KEYS, resolve=Aliases()) as server,
    ):
        status = split(await server.raw(post(b'{"model":"best"}')))[0]
        refused = await server.raw(post(b'{"model":"old"}'))

    assert (status, error_of(refused)["code"]) == (200, "param_not_allowed")
    assert [sent.body for sent in other.sent] == [b'{"model":"claude-4-opus"}']
    assert not first.sent


async def test_other_providers_are_asked_for_it_too(tmp_path: Path) -> None:
    project = {"fallbacks": ("openai", "openai")}
    async with (
        upstream(always(whole(b"{}", status=b"503 Down"))) as provider,
        gateway(tmp_path, provider.url, resolve=Aliases(), project=project) as server,
    ):
        await server.raw(post(b'{"model":"fast"}'))
        records = await server.records()

    assert [sent.body for sent in provider.sent] == [b'{"model":"gpt-4o-mini"}'] * 2
    assert [record.model for record in records] == ["gpt-4o-mini"] * 2


async def test_a_large_body_keeps_every_other_byte(tmp_path: Path) -> None:
    text = b'"a":"' + b"x" * 300_000 + b'"'
    async with (
        upstream(always(GOOD)) as provider,
        gateway(tmp_path, provider.url, resolve=Aliases()) as server,
    ):
        await server.raw(post(b"{" + text + b',"model":"fast"}'))

    [sent] = provider.sent
    assert sent.body == b"{" + text + b',"model":"gpt-4o-mini"}'


async def test_the_model_of_an_address_stays(tmp_path: Path) -> None:
    path, body = b"/v1/models/fast:generate", b'{"model":"fast"}'
    async with (
        upstream(always(GOOD)) as provider,
        gateway(tmp_path, provider.url, resolve=Aliases()) as server,
    ):
        await server.raw(post(body, path=path))
        [record] = await server.records()

    [sent] = provider.sent
    assert (sent.target, sent.body, record.model) == (path.decode(), body, "fast")
