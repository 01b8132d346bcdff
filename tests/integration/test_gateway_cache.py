"""Answers given again: to whom, to whom not, and what the ledger says of it."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from llmring_core.gateway.forwarding import ResolveModel
from llmring_core.gateway.metering import meter_for
from llmring_core.gateway.tokens import Token, digest_of
from llmring_core.ids import ProjectId, TokenId
from tests.builders.gateway import sealed_key, token
from tests.builders.kernel import P1
from tests.integration.cached import (
    CHAT,
    FORCED,
    MODEL,
    MODELS,
    PUBLIC,
    SENT,
    call,
    chat,
    counted,
    standing,
)
from tests.integration.gateway import OTHER, SECRET, TOKEN, Gateway, error_of, gateway, split, until
from tests.integration.upstream import Sent, always, upstream, whole

SECOND = "sk-" + "s" * 22  # of the first project


async def add_second(server: Gateway, **changes: object) -> Token:
    """Keep a token of the first project that no server remembers yet."""
    first = await counted(server, token(1).id)
    second = replace(first, id=TokenId("second"), digest=digest_of(SECOND), **changes)
    async with server.container.begin()() as work:
        await work.tokens.add(second)
    return second


async def test_what_a_provider_calls_public_is_asked_for_once(tmp_path: Path) -> None:
    async with upstream(always(MODELS)) as provider, gateway(tmp_path, provider.url) as server:
        first = split(await server.raw(call()))
        again = split(await server.raw(call()))
        head = split(await server.raw(call(method=b"HEAD")))

    assert [(found[0], found[2]) for found in (first, again)] == [(200, b'{"data":[]}')] * 2
    assert [sent.method for sent in provider.sent] == ["GET"]
    assert first[1]["cache-status"] == "llm-proxy; stored"
    assert first[1]["x-proxy-cache"] == "stored"
    assert again[1]["cache-status"] == "llm-proxy; hit"
    assert again[1]["x-proxy-cache"] == "hit"
    assert again[1]["age"] == "0"
    assert again[1]["etag"] == '"1"'
    assert again[1]["content-length"] == "11"
    assert again[1]["x-proxy-cache-key"] == first[1]["x-proxy-cache-key"]
    assert again[1]["x-request-id"] != first[1]["x-request-id"]
    assert "x-upstream-request-start" in first[1]
    assert "x-upstream-request-start" not in again[1]
    assert "x-proxy-received-at" in again[1]
    assert (head[1]["cache-status"], head[2]) == ("llm-proxy; hit", b"")


async def test_who_has_an_answer_is_told_so(tmp_path: Path) -> None:
    async with upstream(always(MODELS)) as provider, gateway(tmp_path, provider.url) as server:
        await server.raw(call())
        status, headers, body = split(await server.raw(call(b'If-None-Match: "0", W/"1"')))
        other = await standing(server, call(b'If-None-Match: "2"'))

    assert (status, body, len(provider.sent)) == (304, b"", 1)
    assert headers["cache-status"] == "llm-proxy; conditional-hit"
    assert "content-length" not in headers
    assert other == "hit"


@pytest.mark.parametrize("wish", [(), (FORCED,)], ids=["public", "forced"])
async def test_no_project_gets_what_another_one_got(
    tmp_path: Path, wish: tuple[bytes, ...]
) -> None:
    async def answer(_: Sent, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(b'{"n":%d}' % len(provider.sent), *(() if wish else (PUBLIC,))))

    async with upstream(answer) as provider, gateway(tmp_path, provider.url) as server:
        tokens = [secret for secret in (TOKEN, OTHER) for _ in range(2)]
        calls = [call(*wish, token=secret) for secret in tokens]
        answers = [split(await server.raw(one)) for one in calls]

    assert [body for _, _, body in answers] == [b'{"n":1}'] * 2 + [b'{"n":2}'] * 2
    assert len({headers["x-proxy-cache-key"] for _, headers, _ in answers}) == 2


async def test_another_key_of_the_provider_is_another_account(tmp_path: Path) -> None:
    async with upstream(always(MODELS)) as provider, gateway(tmp_path, provider.url) as server:
        await server.raw(call())
        container = server.container
        async with container.begin()() as work:
            await work.gateway.put_key(P1, sealed_key(container.vault(), "openai", "sk-new", P1))

        async def is_asked_again() -> bool:
            return await standing(server, call()) == "stored"

        await until(is_asked_again)  # keys are remembered for a second

    assert [sent.header("authorization") for sent in provider.sent] == [
        [f"Bearer {SECRET}"],
        ["Bearer sk-new"],
    ]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"is_active": False}, 401, "token_inactive"),
        ({"expires_at": token(1).created_at}, 401, "token_expired"),
    ],
)
async def test_who_is_not_let_in_gets_nothing_out_of_it(
    tmp_path: Path, changes: dict[str, object], status: int, code: str
) -> None:
    async with upstream(always(MODELS)) as provider, gateway(tmp_path, provider.url) as server:
        await server.raw(call())
        await add_second(server, **changes)
        answer = await server.raw(call(token=SECOND))

    assert (split(answer)[0], error_of(answer)["code"]) == (status, code)
    assert "cache-status" not in split(answer)[1]


async def test_a_project_that_is_switched_off_gets_nothing_out_of_it(tmp_path: Path) -> None:
    async with upstream(always(MODELS)) as provider, gateway(tmp_path, provider.url) as server:
        await server.raw(call())
        await add_second(server)
        async with server.container.begin()() as work:
            project = await work.gateway.find(P1)
            assert project is not None
            await work.gateway.change(replace(project, is_active=False))

        assert split(await server.raw(call(token=SECOND)))[0] == 403


async def test_a_hundred_who_ask_for_the_same_ask_once(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def answer(_: Sent, writer: asyncio.StreamWriter) -> None:
        await asked.wait()
        writer.write(whole(CHAT))

    async with (
        upstream(answer) as provider,
        gateway(tmp_path, provider.url, meters=meter_for) as server,
    ):
        calls = [asyncio.create_task(server.raw(chat(FORCED))) for _ in range(100)]

        async def all_others_wait() -> bool:
            return server.container.flights().waiting == 99

        await until(all_others_wait)
        asked.set()
        answers = [split(answer) for answer in await asyncio.gather(*calls)]
        records = await server.records()

    assert len(provider.sent) == 1
    assert {(status, body) for status, _, body in answers} == {(200, CHAT)}
    kinds = [record.kind for record in records]
    assert (kinds.count("call"), kinds.count("cache_hit")) == (1, 99)


async def test_a_post_is_looked_up_at_its_callers_wish_only(tmp_path: Path) -> None:
    async with (
        upstream(always(whole(CHAT, PUBLIC))) as provider,
        gateway(tmp_path, provider.url, meters=meter_for) as server,
    ):
        plain = split(await server.raw(chat()))[1]
        standings = [
            await standing(server, chat(*headers, body=body))
            for headers, body in [
                ((FORCED,), SENT),
                ((), SENT),
                ((FORCED,), SENT + b" "),
                ((FORCED, b"X-Body-Hash: 1"), SENT),
                ((FORCED, b"OpenAI-Beta: v2"), SENT),
                ((b"Cache-Control: no-store",), SENT),
                ((FORCED, b"X-Stainless-Retry-Count: 1"), SENT),
            ]
        ]

    assert plain["cache-status"] == "llm-proxy; miss"
    assert plain["x-cache-debug"] == "not-asked"
    assert not {"x-proxy-cache", "x-proxy-cache-key"} & set(plain)
    forced = "stored (forced)"
    assert standings == [forced, "miss", forced, "hit", forced, "bypass", "hit"]


async def test_a_name_that_comes_to_mean_another_model_is_asked_for_anew(tmp_path: Path) -> None:
    meant = {"fast": MODEL}

    class Aliases(ResolveModel):
        async def __call__(self, project: ProjectId, model: str) -> str:  # noqa: ARG002  the port's
            return meant.get(model, model)

    asked = chat(FORCED, body=b'{"model":"fast"}')
    async with (
        upstream(always(whole(CHAT))) as provider,
        gateway(tmp_path, provider.url, resolve=Aliases()) as server,
    ):
        standings = [await standing(server, asked) for _ in range(2)]
        meant["fast"] = "gpt-4o"
        standings += [await standing(server, asked) for _ in range(2)]

    assert standings == ["stored (forced)", "hit"] * 2


async def test_who_wants_the_provider_asked_refreshes_it_for_the_others(tmp_path: Path) -> None:
    async def answer(_: Sent, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(b"%d" % len(provider.sent), PUBLIC))

    async with upstream(answer) as provider, gateway(tmp_path, provider.url) as server:
        wishes: list[tuple[bytes, ...]] = [(), (b"Cache-Control: no-cache",), ()]
        bodies = [split(await server.raw(call(*wish)))[2] for wish in wishes]

    assert bodies == [b"1", b"2", b"2"]


async def test_a_server_without_a_cache_says_nothing_of_one(tmp_path: Path) -> None:
    async with (
        upstream(always(MODELS)) as provider,
        gateway(tmp_path, provider.url, http_cache_enabled="false") as server,
    ):
        answers = [split(await server.raw(call(FORCED)))[1] for _ in range(2)]

    assert len(provider.sent) == 2
    assert not [name for headers in answers for name in headers if "cache-" in name[1:]]


async def test_a_manager_can_have_one_projects_answers_forgotten(tmp_path: Path) -> None:
    body = b'{"method":"GET","url":"/v1/models","project_id":"%s"}' % P1.encode()
    async with (
        upstream(always(MODELS)) as provider,
        gateway(tmp_path, provider.url, management_token="m" * 32) as server,
    ):
        for secret in (TOKEN, OTHER):
            await server.raw(call(token=secret))
        purge = call(method=b"POST", path=b"/manage/cache/purge", token="m" * 32, body=body)
        answers = [split(await server.raw(purge))[2] for _ in range(2)]
        standings = [await standing(server, call(token=one)) for one in (TOKEN, OTHER)]

    assert answers == [b'{"deleted":true}', b'{"deleted":false}']
    assert standings == ["stored", "hit"]
