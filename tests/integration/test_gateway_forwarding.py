"""The gateway over real sockets: what goes in comes out, at the provider and at the caller."""

import asyncio
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from openai import AsyncOpenAI

from tests.builders.kernel import P2
from tests.integration.gateway import (
    DONE,
    OTHER,
    SECRET,
    TOKEN,
    gateway,
    post,
    split,
    until,
)
from tests.integration.upstream import (
    END,
    STREAM_HEAD,
    Sent,
    always,
    chunk,
    upstream,
    whole,
)

ANSWER = b'{ "id":"x", "n":12345678901234567890123, "usage":7}'
FRAMES = [
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":'
    b'[{"index":0,"delta":{"content":"%d"},"finish_reason":null}]}\n\n' % number
    for number in range(5)
]
USAGE = b'data: {"id":"c","object":"chat.completion.chunk","choices":[],"usage":9}\n\n'
STREAM = [*FRAMES, USAGE, DONE]

names = st.text("abcdefghijklmnop0123456789-", min_size=1, max_size=12).map(
    lambda name: f"x-any-{name}"
)
values = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
bodies = st.one_of(
    st.binary(max_size=5000),
    st.binary(max_size=500).map(lambda tail: b'{"model":"gpt-4o-mini","x":"' + tail),
    st.just(b'{"model":"gpt-4o-mini","n":1e400,"m":-0.0,"k":{"b":1,"a":2}}'),
)
types = st.sampled_from(
    [b"application/json", b"application/json; charset=utf-8", b"text/plain", b"multipart/form-data"]
)


async def test_bytes_in_are_bytes_out(tmp_path: Path) -> None:
    body = b'{"model": "gpt-4o-mini",\n "z":1.10, "a":[12345678901234567890], "\xc3\xa9":"\\u00e9"}'
    async with (
        upstream(always(whole(ANSWER, b"X-RateLimit-Left: 3"))) as provider,
        gateway(tmp_path, provider.url) as server,
    ):
        status, headers, answer = split(await server.raw(post(body)))
        [record] = await server.records()

    [sent] = provider.sent
    assert (status, answer) == (200, ANSWER)
    assert (sent.method, sent.target, sent.body) == ("POST", "/v1/chat/completions", body)
    assert headers["x-ratelimit-left"] == "3"
    assert headers["x-proxy"] == "llm-proxy"
    assert int(headers["x-upstream-request-start"]) <= int(headers["x-upstream-request-stop"])
    assert "x-llmring-error" not in headers
    assert (record.model, record.provider) == ("gpt-4o-mini", "openai")
    assert (record.tokens.output, record.usage_source) == (7, "provider")
    assert record.attempt_status == "complete"
    assert record.request_id == headers["x-request-id"]


async def test_what_is_not_metered_is_recorded_as_unpriced(tmp_path: Path) -> None:
    async with (
        upstream(always(whole(b"{}"))) as provider,
        gateway(tmp_path, provider.url) as server,
    ):
        await server.raw(post())
        [record] = await server.records()

    assert (record.usage_source, record.cost_usd, record.cost_status) == (
        "missing",
        None,
        "unpriced",
    )


async def test_looking_up_models_leaves_no_record(tmp_path: Path) -> None:
    get = b"GET /v1/models?limit=%%2F HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    get = get.replace(b"%%", b"%") + b"Authorization: Bearer " + TOKEN.encode() + b"\r\n\r\n"
    async with (
        upstream(always(whole(ANSWER))) as provider,
        gateway(tmp_path, provider.url) as server,
    ):
        status, _, answer = split(await server.raw(get))
        records = await server.records()

    assert (status, answer, records) == (200, ANSWER, [])
    assert provider.sent[0].target == "/v1/models?limit=%2F"
    assert provider.sent[0].header("content-length") == []


async def test_nothing_of_the_caller_but_the_call_reaches_the_provider(tmp_path: Path) -> None:
    headers = [
        b"Cookie: a=b",
        b"OpenAI-Organization: org-other",
        b"X-Forwarded-For: 1.2.3.4",
        b"X-Api-Key: sk-mine",
        b"X-Hop: secret",
        b"Accept-Encoding: gzip",
        b"OpenAI-Beta: assistants=v2",
    ]
    request = post(b"{}", *headers).replace(b"Connection: close", b"Connection: close, X-Hop")
    async with (
        upstream(always(whole(b"{}", b"Set-Cookie: a=b", b"Alt-Svc: h3"))) as provider,
        gateway(tmp_path, provider.url) as server,
    ):
        _, answered, _ = split(await server.raw(request))

    sent = {name.lower(): value for name, value in provider.sent[0].headers}
    assert sent == {
        "host": provider.url.removeprefix("http://"),
        "content-type": "application/json",
        "content-length": "2",
        "openai-beta": "assistants=v2",
        "authorization": f"Bearer {SECRET}",
        "accept-encoding": "identity",
        "x-request-id": answered["x-request-id"],
    }
    assert not answered.keys() & {"set-cookie", "alt-svc"}


async def test_each_frame_leaves_before_the_next_one_comes(tmp_path: Path) -> None:
    taken = asyncio.Event()

    async def answer(_: Sent, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD)
        for frame in STREAM:
            writer.write(chunk(frame))
            await taken.wait()
            taken.clear()
        writer.write(END)

    received = []
    async with upstream(answer) as provider, gateway(tmp_path, provider.url) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(post())
        await reader.readuntil(b"\r\n\r\n")
        for frame in STREAM:
            received.append(await reader.readexactly(len(chunk(frame))))
            if frame == DONE:  # whoever has seen the end can see the record
                [record] = await server.records()
            taken.set()
        rest = await reader.read()
        writer.close()

    assert received == [chunk(frame) for frame in STREAM]
    assert rest == END
    assert (record.tokens.output, record.attempt_status) == (9, "complete")


async def test_a_slow_reader_makes_the_provider_wait(tmp_path: Path) -> None:
    written = 0

    async def answer(_: Sent, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(STREAM_HEAD)
        for _ in range(1000):
            writer.write(chunk(b"x" * 2**16))
            await writer.drain()
            written += 2**16
        writer.write(END)

    async with upstream(answer) as provider, gateway(tmp_path, provider.url) as server:
        reader, writer = await asyncio.open_connection(*server.address, limit=2**10)
        writer.write(post())
        await reader.readuntil(b"\r\n\r\n")
        before = -1
        while before != written:  # until nothing moves any more
            before = written
            await asyncio.sleep(0.2)
        stopped_at = written
        writer.transport.abort()
        [record] = await server.recorded()

    assert stopped_at < 32 * 2**20  # sockets' own buffers, and not all 64 MiB
    assert record.attempt_status in ("client_disconnected", "truncated")


async def test_the_openai_client_works_through_it(tmp_path: Path) -> None:
    async def answer(sent: Sent, writer: asyncio.StreamWriter) -> None:
        if b'"stream":true' not in sent.body:
            writer.write(whole(b'{"id":"c","object":"chat.completion","choices":[]}'))
            return
        writer.write(STREAM_HEAD + b"".join(map(chunk, [*FRAMES, DONE])) + END)

    async with upstream(answer) as provider, gateway(tmp_path, provider.url) as server:
        async with AsyncOpenAI(api_key=OTHER, base_url=f"{server.url}/v1") as client:
            whole_one = await client.chat.completions.create(model="gpt-4o", messages=[])
            stream = await client.chat.completions.create(model="gpt-4o", messages=[], stream=True)
            said = [part.choices[0].delta.content async for part in stream]
        records = await server.records(P2)
        others = await server.records()

    assert whole_one.id == "c"
    assert said == ["0", "1", "2", "3", "4"]
    assert [record.model for record in records] == ["gpt-4o", "gpt-4o"]
    assert others == []


async def test_a_body_of_unknown_length_is_passed_on_as_it_comes(tmp_path: Path) -> None:
    head = post(b"", path=b"/v1/files").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    head = head.replace(b"application/json", b"multipart/form-data")
    async with (
        upstream(always(whole(b"{}"))) as provider,
        gateway(tmp_path, provider.url) as server,
    ):
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(head + chunk(b"one"))
        await until(provider.is_asked)  # the call is made before its body is whole
        writer.write(chunk(b"two") + END)
        answered = await reader.read()
        writer.close()

    assert split(answered)[0] == 200
    assert provider.sent[0].body == b"onetwo"
    assert provider.sent[0].header("transfer-encoding") == ["chunked"]


def test_whatever_is_sent_arrives_as_it_was(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        calls = upstream(always(whole(b"{}")))
        provider = runner.run(calls.__aenter__())
        serving = gateway(tmp_path, provider.url)
        server = runner.run(serving.__aenter__())

        @settings(max_examples=60, deadline=None)
        @given(bodies, types, st.dictionaries(names, values, max_size=8))
        def check(body: bytes, media_type: bytes, headers: dict[str, str]) -> None:
            lines = [f"{name}: {value}".encode() for name, value in headers.items()]
            request = post(body, *lines).replace(b"application/json", media_type, 1)
            provider.sent.clear()

            status, _, _ = split(runner.run(server.raw(request)))

            [sent] = provider.sent
            assert (status, sent.body) == (200, body)
            assert sent.header("content-type") == [media_type.decode()]
            assert {name: sent.header(name) for name in headers} == {
                name: [value] for name, value in headers.items()
            }

        try:
            check()
        finally:
            runner.run(serving.__aexit__(None, None, None))
            runner.run(calls.__aexit__(None, None, None))
