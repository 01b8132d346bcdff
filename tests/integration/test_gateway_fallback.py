"""When a provider fails before anything of its answer is passed on, the project's next is asked."""

from pathlib import Path

import httpx
import pytest

from llmring_core.errors import StoreUnavailable
from llmring_core.usage import UsageRecord
from tests.builders.kernel import P1
from tests.integration.gateway import (
    SECRET,
    YAML,
    broken_off,
    dechunked,
    error_of,
    gateway,
    post,
    split,
)
from tests.integration.manager import TOKEN
from tests.integration.upstream import STREAM_HEAD, always, chunk, upstream, whole

SECOND = """  second:
    base_url: {second}/v2
    allowed_endpoints: [/v1/chat/completions]
    allowed_methods: [POST]
    auth: x-api-key
"""
TOO_MANY = whole(b'{"error":"slow down"}', b"Retry-After: 7", status=b"429 Too Many Requests")
GOOD = whole(b'{"usage":3}')
BOTH = {"keys": ("openai", "second"), "project": {"fallbacks": ("openai", "second")}}


def yaml(url: str) -> str:
    return YAML + SECOND.replace("{second}", url)


@pytest.mark.parametrize(
    "failing",
    [
        always(TOO_MANY),
        always(whole(b"{}", status=b"500 Oh No")),
        always(whole(b"{}", status=b"401 Unauthorized")),
        always(b"no HTTP\r\n\r\n", cut=True),
        always(b"", cut=True),
    ],
    ids=["busy", "failing", "key refused", "broken", "gone"],
)
async def test_the_next_provider_answers_in_its_place(tmp_path: Path, failing: object) -> None:
    async with (
        upstream(failing) as first,
        upstream(always(GOOD)) as second,
        gateway(tmp_path, first.url, yaml(second.url), **BOTH) as server,
    ):
        status, _, body = split(await server.raw(post()))
        records = await server.records()

    assert (status, body) == (200, b'{"usage":3}')
    [sent] = second.sent
    assert (sent.target, sent.header("x-api-key")) == ("/v2/chat/completions", [SECRET])
    assert sent.header("authorization") == []
    assert (sent.body, len(first.sent)) == (first.sent[0].body, 1)
    assert [(one.provider, one.attempt_status) for one in reversed(records)] == [
        ("openai", "upstream_error"),
        ("second", "complete"),
    ]


async def test_an_order_that_was_set_over_http_is_kept_to(tmp_path: Path) -> None:
    both, headers = {"fallbacks": ["openai", "second"]}, {"Authorization": f"Bearer {TOKEN}"}
    async with (
        upstream(always(TOO_MANY)) as first,
        upstream(always(GOOD)) as second,
        gateway(
            tmp_path, first.url, yaml(second.url), keys=BOTH["keys"], management_token=TOKEN
        ) as server,
        httpx.AsyncClient(base_url=server.url, headers=headers) as manager,
    ):
        changed = await manager.patch(f"/manage/projects/{P1}", json=both)
        answered = split(await server.raw(post()))[0]

    assert changed.json()["fallbacks"] == both["fallbacks"]
    assert (answered, len(first.sent), len(second.sent)) == (200, 1, 1)


async def test_the_last_answer_is_the_callers_whatever_it_is(tmp_path: Path) -> None:
    async with (
        upstream(always(TOO_MANY)) as first,
        upstream(always(TOO_MANY)) as second,
        gateway(tmp_path, first.url, yaml(second.url), **BOTH) as server,
    ):
        status, headers, _ = split(await server.raw(post()))

    assert (status, headers["retry-after"]) == (429, "7")
    assert (len(first.sent), len(second.sent)) == (1, 1)


async def test_a_name_that_comes_again_is_asked_again(tmp_path: Path) -> None:
    project = {"fallbacks": ("openai", "openai", "openai")}
    async with (
        upstream(always(TOO_MANY)) as first,
        gateway(tmp_path, first.url, project=project) as server,
    ):
        status = split(await server.raw(post()))[0]
        records = await server.records()

    assert (status, len(first.sent), len(records)) == (429, 3, 3)


@pytest.mark.parametrize(
    ("status", "asked"), [(b"400 Bad Request", 1), (b"404 Not Found", 1), (b"422 No", 1)]
)
async def test_what_is_wrong_with_the_call_is_not_sent_elsewhere(
    tmp_path: Path, status: bytes, asked: int
) -> None:
    async with (
        upstream(always(whole(b"{}", status=status))) as first,
        upstream(always(GOOD)) as second,
        gateway(tmp_path, first.url, yaml(second.url), **BOTH) as server,
    ):
        answered = split(await server.raw(post()))[0]

    assert (answered, len(first.sent), len(second.sent)) == (int(status[:3]), asked, 0)


async def test_a_stream_that_has_begun_goes_nowhere_else(tmp_path: Path) -> None:
    frame = b'data: {"a":1}\n\n'
    async with (
        upstream(always(STREAM_HEAD + chunk(frame), cut=True)) as first,
        upstream(always(GOOD)) as second,
        gateway(tmp_path, first.url, yaml(second.url), **BOTH) as server,
    ):
        data, ended = dechunked(split(await server.raw(post()))[2])

    assert (broken_off(data), ended) == ((frame, "upstream_broken"), False)
    assert not second.sent


async def test_who_takes_no_such_call_or_has_no_key_is_passed_over(tmp_path: Path) -> None:
    project = {"fallbacks": ("openai", "second", "unheard-of")}
    body, path = b'{"model":"text-embedding-3-small"}', b"/v1/embeddings"
    async with upstream(always(TOO_MANY)) as first, upstream(always(GOOD)) as second:
        for keys in (("openai", "second"), ("openai",)):
            folder = tmp_path / keys[-1]
            folder.mkdir()
            async with gateway(
                folder, first.url, yaml(second.url), keys=keys, project=project
            ) as server:
                answers = [await server.raw(post(body, path=path))]
                if len(keys) == 1:
                    answers.append(await server.raw(post()))
                assert {split(answer)[0] for answer in answers} == {429}

    assert not second.sent


async def test_a_provider_that_is_left_alone_is_passed_over(tmp_path: Path) -> None:
    down = whole(b"{}", status=b"503 Down")
    async with (
        upstream(always(down)) as first,
        upstream(always(GOOD)) as second,
        gateway(tmp_path, first.url, yaml(second.url), **BOTH) as server,
    ):
        statuses = [split(await server.raw(post()))[0] for _ in range(8)]

    assert statuses == [200] * 8
    assert (len(first.sent), len(second.sent)) == (5, 8)


async def test_without_an_order_nothing_is_asked_twice(tmp_path: Path) -> None:
    async with (
        upstream(always(b"", cut=True)) as first,
        upstream(always(GOOD)) as second,
        gateway(tmp_path, first.url, yaml(second.url), keys=("openai", "second")) as server,
    ):
        answer = await server.raw(post())

    assert error_of(answer)["code"] == "upstream_broken"
    assert (len(first.sent), len(second.sent)) == (1, 0)


async def test_what_was_paid_for_and_cannot_be_recorded_is_not_bought_again(tmp_path: Path) -> None:
    class Away:
        async def __call__(self, _: object) -> UsageRecord:
            raise StoreUnavailable("away")

    async with (
        upstream(always(GOOD)) as first,
        upstream(always(GOOD)) as second,
        gateway(tmp_path, first.url, yaml(second.url), record=Away(), **BOTH) as server,
    ):
        status = split(await server.raw(post()))[0]

    assert (status, len(first.sent), len(second.sent)) == (503, 1, 0)
