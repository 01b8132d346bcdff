"""Callers who mean harm: nothing they send makes a second call, another address, or a line of ours.

Whatever is refused reaches no provider.
"""

import asyncio
from pathlib import Path

import pytest

from tests.integration import speaking
from tests.integration.breaking import seen
from tests.integration.gateway import (
    SECRET,
    TOKEN,
    gateway,
    post,
    split,
)
from tests.integration.manager import Manager
from tests.integration.server import running
from tests.integration.speaking import Used
from tests.integration.teams import settings, team
from tests.integration.test_gateway_leavers import Pausing
from tests.integration.upstream import always, upstream, whole

BODY = b'{"model":"gpt-4o-mini"}'
SMUGGLED = post(b'{"model":"smuggled"}')
CHUNKED = b"Transfer-Encoding: chunked"


def framed(*headers: bytes, body: bytes = BODY) -> bytes:
    """A call whose length is said by ``headers`` alone."""
    return post(BODY, *headers).replace(b"Content-Length: 23\r\n", b"")[: -len(BODY)] + body


UNCLEAR = {
    "a length and chunks": post(BODY, CHUNKED) + b"0\r\n\r\n" + SMUGGLED,
    "chunks and a length": framed(CHUNKED, b"Content-Length: 4", body=b"0\r\n\r\n" + SMUGGLED),
    "two lengths": framed(b"Content-Length: 23", b"Content-Length: 4", body=BODY + SMUGGLED),
    "two lengths in one": framed(b"Content-Length: 23, 4", body=BODY + SMUGGLED),
    "a length with a sign": framed(b"Content-Length: +23", body=BODY + SMUGGLED),
    "a length with a blank": framed(b"Content-Length : 23", body=BODY + SMUGGLED),
    "chunks twice": framed(CHUNKED, CHUNKED, body=b"0\r\n\r\n" + SMUGGLED),
    "chunks under a disguise": framed(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + SMUGGLED),
    "chunks after something": framed(
        b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n" + SMUGGLED
    ),
    "a chunk's size that is none": framed(CHUNKED, body=b"-1\r\n" + SMUGGLED),
    "a chunk longer than its size": framed(CHUNKED, body=b"1\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    "a folded header": post(BODY, b"X-A: b", b" Content-Length: 4") + SMUGGLED,
    "a header with a zero byte": post(BODY, b"X-A: b\0c") + SMUGGLED,
    "a header with a bare line end": post(BODY, b"X-A: b\rX-C: d") + SMUGGLED,
}


async def test_a_call_whose_end_is_unclear_is_no_call_and_hides_none(tmp_path: Path) -> None:
    async with (
        upstream(always(whole(b"{}"))) as provider,
        gateway(tmp_path, provider.url) as server,
    ):
        for case, request in UNCLEAR.items():
            provider.sent.clear()
            answer = await server.raw(request)

            assert b"smuggled" not in b"".join(sent.body for sent in provider.sent), case
            assert len(provider.sent) <= answer.count(b"HTTP/1.1 200 ") <= 1, case
            assert answer.count(b"HTTP/1.1 ") <= 2, case


ELSEWHERE = {
    "absolute": b"http://test/v1/chat/completions/../models",
    "dots": b"/v1/chat/x/../completions",
    "encoded dots": b"/v1/%2e%2e/admin",
    "encoded twice": b"/v1/chat/%252e%252e/completions",
    "two slashes": b"/v1//chat/completions",
    "a semicolon": b"/v1/chat/completions;a=b",
    "a backslash": b"/v1\\chat\\completions",
    "a zero byte": b"/v1/chat/completions%00",
    "capitals": b"/v1/Chat/Completions",
    "a slash behind": b"/v1/chat/completions/",
    "a dot behind": b"/v1/chat/completions.",
    "a file's ending": b"/v1/models.css",
    "a line end": b"/v1/models%0d%0aX-Evil:%20yes",
    "an at sign": b"/v1@evil.example/chat/completions",
}


async def test_an_address_that_is_not_exactly_one_of_those_allowed_is_no_address(
    tmp_path: Path,
) -> None:
    async with (
        upstream(always(whole(b"{}"))) as provider,
        gateway(tmp_path, provider.url) as server,
    ):
        for case, path in ELSEWHERE.items():
            status, headers, _ = split(await server.raw(post(BODY, path=path)))
            assert status in (400, 404), case
            assert "x-evil" not in headers, case

    assert provider.sent == []


METHODS = (b"TRACE", b"CONNECT", b"post", b"PROPFIND", b"PATCH")


async def test_a_method_that_is_not_allowed_is_refused_also_in_disguise(tmp_path: Path) -> None:
    disguises = (b"X-HTTP-Method-Override: DELETE", b"X-Method-Override: GET")
    async with (
        upstream(always(whole(b"{}"))) as provider,
        gateway(tmp_path, provider.url) as server,
    ):
        for method in METHODS:
            answer = await server.raw(post(BODY).replace(b"POST", method, 1))
            assert split(answer)[0] in (400, 404, 405, 501), method
        assert provider.sent == []
        await server.raw(post(BODY, *disguises, path=b"/v1/chat/completions?_method=DELETE"))

    [sent] = provider.sent
    assert sent.method == "POST"
    assert sent.header("x-http-method-override") == sent.header("x-method-override") == []


async def test_nothing_in_a_call_changes_where_it_goes_or_who_pays(tmp_path: Path) -> None:
    evil = b"http://evil.example"
    body = b'{"model":"gpt-4o-mini","api_base":"%b","base_url":"%b","api_key":"x"}' % (evil, evil)
    headers = [
        b"X-Forwarded-Host: evil.example",
        b"X-Api-Base: " + evil,
        b"X-LLMRing-Provider: evil",
        b"OpenAI-Project: other",
        b"Forwarded: host=evil.example",
    ]
    request = post(body, *headers, path=evil + b"/v1/chat/completions?base_url=" + evil)
    request = request.replace(b"Host: test", b"Host: evil.example")
    async with (
        upstream(always(whole(b"{}"))) as provider,
        gateway(tmp_path, provider.url) as server,
    ):
        status, answered, _ = split(await server.raw(request))

    [sent] = provider.sent
    assert (status, sent.body) == (200, body)
    assert sent.header("host") == [provider.url.removeprefix("http://")]
    assert sent.header("authorization") == [f"Bearer {SECRET}"]
    names = {name.lower() for name, _ in sent.headers}
    assert not names & {"x-forwarded-host", "x-llmring-provider", "openai-project", "forwarded"}
    assert b"evil" not in repr(answered).encode()


IDS = (b"", b"a" * 65, b"a b", b"a\tb", b"\xff\xfe", b"<script>", b"a;b", b"../../x")


async def test_a_request_id_that_is_none_is_replaced(tmp_path: Path) -> None:
    async with (
        upstream(always(whole(b"{}"))) as provider,
        gateway(tmp_path, provider.url) as server,
    ):
        for id in IDS:
            status, headers, _ = split(await server.raw(post(BODY, b"X-Request-ID: " + id)))
            assert status == 200, id
            ours = headers["x-request-id"]
            assert ours.encode() != id, id
            assert provider.sent[-1].header("x-request-id") == [ours], id
        twice = post(BODY, b"X-Request-ID: a", b"X-Request-ID: b")
        _, headers, _ = split(await server.raw(twice))

    assert provider.sent[-1].header("x-request-id") == [headers["x-request-id"]]


UPGRADES = {
    "a socket": (b"Upgrade: websocket", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
    "HTTP/2": (b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
}


@pytest.mark.parametrize("case", UPGRADES)
async def test_nothing_else_is_tunnelled(tmp_path: Path, case: str) -> None:
    request = post(BODY, *UPGRADES[case])
    request = request.replace(b"Connection: close", b"Connection: Upgrade, HTTP2-Settings, close")
    async with (
        upstream(always(whole(b"{}"))) as provider,
        gateway(tmp_path, provider.url) as server,
    ):
        answer = await server.raw(request)

    assert split(answer)[0] in (200, 400, 404, 426)
    assert b" 101 " not in answer
    for sent in provider.sent:
        assert sent.header("upgrade") == sent.header("http2-settings") == []


async def test_who_was_let_in_is_served_to_the_end_and_not_again(tmp_path: Path) -> None:
    events = speaking.chat_events(Used(10, 0, 5), {"content": "Hi"})
    pausing = Pausing(events)
    pausing.pause_after = 1
    async with upstream(pausing) as provider:
        used = settings(tmp_path, provider.url)
        with running(tmp_path, **used) as server:
            ours = await asyncio.to_thread(team, server, used, max_requests=9)
            manager = Manager(server)
            [token] = manager("GET", f"/tokens?projectId={ours.project}").json()
            body = b'{"model":"gpt-4.1","stream":true,"stream_options":{"include_usage":true}}'
            request = post(body).replace(TOKEN.encode(), ours.token.encode())
            reader, writer = await asyncio.open_connection(*server.address)
            writer.write(request)
            answer = await reader.readuntil(b"Hi")

            assert manager("DELETE", f"/tokens/{token['id']}").status_code == 204
            pausing.go_on.set()
            answer += await reader.read()
            writer.close()
            reader, writer = await asyncio.open_connection(*server.address)
            writer.write(request)
            refused = await reader.read()
            writer.close()
            rows = await asyncio.to_thread(ours.rows)

    assert (seen(answer).body, seen(answer).ended) == (b"".join(events), True)
    assert split(refused)[0] == 401
    assert [row["attempt_status"] for row in rows] == ["complete"]
