"""What is sent arrives at the provider byte by byte, but for the one documented change.

However odd its numbers, names, escapes and order are, and whatever else than JSON it is; and what
the provider answers arrives at the caller the same way.
"""

import asyncio
import json
import re
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.integration.breaking import Breaking, Seen, breaking, seen
from tests.integration.gateway import post
from tests.integration.upstream import END, STREAM_HEAD, always, chunk, whole

T = TypeVar("T")
Pairs = list[tuple[str, Any]]  # of an object, with what it says twice
CHUNKED = STREAM_HEAD.replace(b"text/event-stream", b"application/json")

blanks = st.sampled_from([b"", b"", b" ", b"\n", b"\t\r\n  "])
numbers = st.from_regex(
    rb"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?", fullmatch=True
)
escapes = st.sampled_from(
    [rb"\u00e9", rb"\/", rb"\"", rb"\\", rb"\ud83d\ude00", rb"\u0000", rb"\n"]
)
plain = st.characters(exclude_characters='"\\', exclude_categories=["Cs", "Cc"])
letters = st.text(plain, max_size=8).map(str.encode)
strings = st.lists(letters | escapes, max_size=4).map(lambda parts: b'"%b"' % b"".join(parts))
words = st.sampled_from([b"null", b"true", b"false", b"{}", b"[]"])


@st.composite
def objects(draw: st.DrawFn, values: st.SearchStrategy[bytes]) -> bytes:
    names = st.lists(strings | st.just(b'"again"'), max_size=4)
    return written(draw, [(name, draw(values)) for name in draw(names)])


def arrays(values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.lists(values, max_size=4).map(lambda items: b"[" + b" ,".join(items) + b"]")


def written(draw: st.DrawFn, members: list[tuple[bytes, bytes]]) -> bytes:
    """An object with blanks where they may stand."""
    between = [
        draw(blanks) + name + draw(blanks) + b":" + draw(blanks) + value for name, value in members
    ]
    return draw(blanks) + b"{" + b",".join(between) + draw(blanks) + b"}" + draw(blanks)


anything = st.recursive(
    strings | numbers | words, lambda inner: arrays(inner) | objects(inner), max_leaves=12
)
streams = st.sampled_from([b"true", b"true", b"true", b"false", b"null", b'"true"', b"1"])
options = st.sampled_from(
    [b"null", b"{}", b'{"include_usage": true}', b'{"a":1,"include_usage":false }', b'{ "b" :2.0}']
)


@st.composite
def calls(draw: st.DrawFn) -> bytes:
    """A chat request, which asks for a stream or not, among members that nobody knows."""
    known = [(b'"model"', b'"gpt-4o-mini"')]
    known += [(b'"stream"', draw(streams))] if draw(st.booleans()) else []
    known += [(b'"stream_options"', draw(options))] if draw(st.booleans()) else []
    unknown = draw(
        st.lists(st.tuples(st.sampled_from([b'"x"', b'"y"', b'"\\u00e9"']), anything), max_size=5)
    )
    return written(draw, draw(st.permutations([*known, *unknown])))


class Both:
    """A gateway and a provider that one test uses for all its examples."""

    def __init__(self, runner: asyncio.Runner, both: Breaking) -> None:
        self._runner = runner
        self._both = both

    def sent(self, request: bytes) -> tuple[bytes, list[str]]:
        """Return the body as it arrived, and its media types."""
        self._both.provider.sent.clear()
        answer = self._runner.run(self._both.server.raw(request))
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        [sent] = self._both.provider.sent
        return sent.body, sent.header("content-type")

    def answered(self, *pieces: bytes) -> Seen:
        """Return what a caller gets of an answer."""
        before, self._both.provider.answer = self._both.provider.answer, always(*pieces)
        answer = self._runner.run(self._both.server.raw(post()))
        self._both.provider.answer = before
        return seen(answer)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with asyncio.Runner() as runner:
        opened = breaking(tmp_path_factory.mktemp("fidelity"))
        yield Both(runner, runner.run(entered(opened.__aenter__)))
        runner.run(entered(lambda: opened.__aexit__(None, None, None)))


async def entered(step: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return await step()


@settings(max_examples=150)
@given(calls())
@example(b'{"stream":true,"x":12345678901234567890123,"x":1E+400,"model":"gpt-4o-mini","y":-0.0}')
@example(b'{"model":"gpt-4o-mini","stream":true,"stream_options":{},"stream_options":{}}')
@example(b'{"mod\\u0065l":"gpt-4o-mini","str\\u0065am":true,"stream_option\\u0073":{"a":"}"}}')
def test_a_json_body_arrives_as_it_is_but_for_what_asks_for_usage(both: Both, body: bytes) -> None:
    came, types = both.sent(post(body))

    assert types == ["application/json"]
    assert pairs_in(came) == pairs_that_ask(pairs_in(body))
    assert body == came or body in unasked(came)


# What is put in, and what it stands in place of.
ASKING = {
    b'"stream_options":{"include_usage":true},': b"",
    b'"include_usage":true,': b"",
    b'"include_usage":true': b"",
    b'{"include_usage":true}': b"null",
    b"true": b"false",
}


def unasked(came: bytes) -> Iterator[bytes]:
    """Return every body that may have been made into ``came``, by one change."""
    for added, removed in ASKING.items():
        for found in re.finditer(re.escape(added), came):
            yield came[: found.start()] + removed + came[found.end() :]


def pairs_in(body: bytes) -> Pairs:
    found: Pairs = json.loads(body, object_pairs_hook=list, parse_int=str, parse_float=str)
    return found


def pairs_that_ask(pairs: Pairs) -> Pairs:
    """Return what a provider is to read: the same, unless a stream's usage is not asked for."""
    said = [value for name, value in pairs if name == "stream_options"]
    if ("stream", True) not in pairs or len(said) > 1:
        return pairs
    if not said:
        return [("stream_options", [("include_usage", True)]), *pairs]
    return [(name, asking(value) if name == "stream_options" else value) for name, value in pairs]


def asking(value: Pairs | None) -> Pairs:
    if value and "include_usage" in dict(value):
        return [(name, True if name == "include_usage" else one) for name, one in value]
    return [("include_usage", True), *(value or [])]


boundaries = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=30)
files = st.lists(st.tuples(letters, st.binary(max_size=3000)), min_size=1, max_size=3)


@settings(max_examples=60)
@given(boundaries, files, st.integers(0, 700))
def test_files_arrive_as_they_are_however_they_are_cut(
    both: Both, boundary: str, parts: list[tuple[bytes, bytes]], size: int
) -> None:
    body = (
        b"".join(part(boundary.encode(), *one) for one in parts) + b"--%b--\r\n" % boundary.encode()
    )
    media_type = f"multipart/form-data; boundary={boundary}"
    request = post(b"" if size else body, path=b"/v1/files")
    request = request.replace(b"application/json", media_type.encode())
    if size:
        request = request.replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        request += b"".join(chunk(body[at : at + size]) for at in range(0, len(body), size)) + END

    assert both.sent(request) == (body, [media_type])


def part(boundary: bytes, name: bytes, content: bytes) -> bytes:
    head = b'Content-Disposition: form-data; name="file"; filename="%b"' % name
    return b"--%b\r\n%b\r\nContent-Type: any/thing\r\n\r\n%b\r\n" % (boundary, head, content)


@settings(max_examples=60)
@given(anything | st.binary(max_size=5000), st.integers(0, 700))
def test_an_answer_arrives_as_it_is_however_it_is_cut(both: Both, body: bytes, size: int) -> None:
    chunks = [chunk(body[at : at + size]) for at in range(0, len(body), size)] if size else []
    pieces = [CHUNKED, *chunks[:9], b"".join(chunks[9:]), END] if size else [whole(body)]

    got = both.answered(*pieces)

    assert (got.status, got.body, got.ended) == (200, body, True)
    assert got.headers["content-type"] == "application/json"


@pytest.mark.parametrize("size", [2**18 + 1, 2**20 + 1, 5 * 2**20])
def test_a_large_body_arrives_as_it_is(both: Both, size: int) -> None:
    body = b'{"model":"gpt-4o-mini","image":"%b"}' % (b"\xc3\xa9A/+" * (size // 5))

    assert both.sent(post(body)) == (body, ["application/json"])
