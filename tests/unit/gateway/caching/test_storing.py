"""Which answers are kept, for how long, and what of their headers."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmring_core.gateway.caching import CachePolicy, Pair, kept_headers
from llmring_core.gateway.caching.directives import date, directives
from tests.builders.caching import DATE, FORCED, POLICY, PUBLIC, verdict

UNSURE = b"0123456789=, \"'\\;-abcdeghimnoprstuvwx\xff"


def said(value: bytes) -> Pair:
    return (b"cache-control", value)


class TestHowLong:
    @pytest.mark.parametrize(
        ("headers", "ttl_s"),
        [
            ([said(b"public, max-age=60")], 60),
            ([said(b"s-maxage=30")], 30),
            ([said(b"public, s-maxage=30, max-age=60")], 30),
            ([said(b"public, max-age=60, max-age=10")], 10),
            ([said(b"public, max-age=60"), (b"age", b"50")], 10),
            ([said(b"public, max-age=60"), (b"date", b"Fri, 20 Nov 2026 11:59:30 GMT")], 60),
            ([said(b"public, max-age=60"), (b"age", b"9"), (b"age", b"50")], 10),
            ([said(b"public, max-age=60"), (b"date", b"yesterday")], 60),
            ([said(b"public, max-age=99999999999")], POLICY.max_ttl_s),
            ([said(b"public"), (b"expires", b"Fri, 20 Nov 2026 12:01:00 GMT"), DATE], 60),
            ([said(b"public")], 300),
            ([said(b"public"), (b"age", b"1000")], 300),
        ],
    )
    def test_is_what_the_provider_says(self, headers: list[Pair], ttl_s: int) -> None:
        assert verdict(*headers).ttl_s == ttl_s

    @pytest.mark.parametrize(
        "headers",
        [
            [said(b"public, max-age=0")],
            [said(b"public, max-age=soon")],
            [said(b"public, max-age=60, s-maxage=0")],
            [said(b"public, max-age=60"), (b"age", b"60")],
            [said(b"public"), (b"expires", b"0")],
            [said(b"public"), (b"expires", b"Fri, 20 Nov 2026 12:01:00 GMT")] * 2,
            [said(b"public"), (b"expires", b"Fri, 20 Nov 2026 11:00:00 GMT")],
        ],
    )
    def test_is_not_at_all_when_it_is_stale_or_unclear(self, headers: list[Pair]) -> None:
        found = verdict(*headers)
        assert (found.ttl_s, found.reason) == (0, "ttl-zero-ttl=0s-from-resp=true")

    def test_of_an_answer_that_does_not_say_is_a_setting(self) -> None:
        assert verdict(said(b"public"), policy=CachePolicy(default_ttl_s=7)).ttl_s == 7
        found = verdict(said(b"public"), policy=CachePolicy(default_ttl_s=0))
        assert (found.ttl_s, found.reason) == (0, "ttl-zero-ttl=0s-from-resp=false")

    @given(st.lists(st.sampled_from([bytes([byte]) for byte in UNSURE]), max_size=30))
    def test_no_words_at_all_are_an_accident(self, words: list[bytes]) -> None:
        value = b"".join(words)
        found = verdict(said(value), (b"age", value), (b"date", value), (b"expires", value))
        assert 0 <= found.ttl_s <= POLICY.max_ttl_s
        directives([said(value)])


class TestWhatIsNeverKept:
    @pytest.mark.parametrize("status", [0, 201, 203, 204, 206, 301, 304, 404, 429, 500])
    @pytest.mark.parametrize("asked", [(), (FORCED,)])
    def test_any_other_status(self, status: int, asked: tuple[Pair, ...]) -> None:
        found = verdict(PUBLIC, asked=asked, status=status)
        assert (found.ttl_s, found.reason) == (0, "status-not-cacheable")

    @pytest.mark.parametrize(
        ("headers", "reason"),
        [
            ([said(b"no-store")], "no-store"),
            ([said(b"private")], "private"),
            ([said(b'private="set-cookie"')], "private"),
            ([said(b"x=1"), said(b"No-Store")], "no-store"),
            ([(b"vary", b"*")], "vary"),
            ([(b"vary", b"Accept, User-Agent")], "vary"),
            ([(b"vary", b"x-request-id")], "vary"),
            ([(b"content-range", b"bytes 0-1/2")], "status-not-cacheable"),
            ([(b"content-length", b"1048577")], "too-large"),
            ([(b"content-length", b"5"), (b"content-length", b"6")], "length"),
            ([(b"content-length", b"-5")], "length"),
            ([(b"content-length", b"\xb2")], "length"),
            ([(b"content-type", b"Text/Event-Stream; charset=utf-8")], "streaming-response"),
        ],
    )
    def test_not_even_when_its_caller_asks(self, headers: list[Pair], reason: str) -> None:
        found = verdict(PUBLIC, *headers, asked=[FORCED])
        assert (found.ttl_s, found.reason) == (0, reason)

    @pytest.mark.parametrize(
        ("headers", "reason"),
        [
            ([said(b"public, no-cache, max-age=60")], "no-cache"),
            ([PUBLIC, (b"set-cookie", b"a=b")], "set-cookie"),
            ([said(b"max-age=60")], "not-public"),
            ([said(b"s-maxage=0, max-age=60")], "not-public"),
            ([(b"expires", b"Fri, 20 Nov 2026 12:01:00 GMT"), DATE], "not-public"),
            ([], "not-public"),
        ],
    )
    def test_unless_its_caller_asks(self, headers: list[Pair], reason: str) -> None:
        assert (verdict(*headers).ttl_s, verdict(*headers).reason) == (0, reason)
        forced = verdict(*headers, asked=[FORCED])
        assert (forced.ttl_s, forced.is_forced, forced.reason) == (60, True, None)

    def test_when_the_caller_asks_for_that(self) -> None:
        found = verdict(PUBLIC, asked=[said(b"no-store")])
        assert (found.ttl_s, found.reason) == (0, "not-asked")

    def test_a_vary_on_what_is_in_the_key_does_no_harm(self) -> None:
        assert verdict(PUBLIC, (b"vary", b"Origin, Accept-Encoding"), (b"vary", b"x-b")).ttl_s == 60

    def test_a_length_that_is_just_allowed_is_kept(self) -> None:
        assert verdict(PUBLIC, (b"content-length", b"1048576")).ttl_s == 60

    def test_streams_are_kept_where_that_is_switched_on(self) -> None:
        stream = (b"content-type", b"text/event-stream")
        assert verdict(PUBLIC, stream, policy=CachePolicy(stream_responses=True)).ttl_s == 60


class TestWhatIsKeptOfTheHeaders:
    def test_is_what_stays_true(self) -> None:
        kept = [
            (b"content-type", b"application/json"),
            (b"etag", b'"a"'),
            (b"x-new", b"1"),
            (b"x-new", b"\xff"),
            PUBLIC,
        ]
        names = b"date age set-cookie x-request-id connection keep-alive transfer-encoding x-hop"
        names += b" x-proxy-cache x-proxy cache-status x-cache-debug access-control-allow-origin"
        names += b" x-upstream-request-start x-ratelimit-remaining-tokens x-llmring-error"
        gone = [(name, b"x-hop, close") for name in names.split()]
        assert kept_headers([*gone, *kept], verdict(PUBLIC)) == tuple(kept)

    def test_is_private_when_only_the_caller_wanted_it(self) -> None:
        headers = [said(b"no-cache"), (b"expires", b"0"), (b"etag", b'"a"')]
        kept = kept_headers(headers, verdict(*headers, asked=[FORCED]))
        assert kept == ((b"etag", b'"a"'), said(b"private, max-age=60"))


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        (b"Sun, 06 Nov 1994 08:49:37 GMT", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        (b"Thu, 31 Dec 2026 23:59:60 GMT", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (b"Sun, 06 Nov 1994 08:49:37 +0100", None),
        (b"Sunday, 06-Nov-94 08:49:37 GMT", None),
        (b"Sun, 31 Feb 1994 08:49:37 GMT", None),
        (b"Sun, 06 Foo 1994 08:49:37 GMT", None),
        (b"Sun, 06 Nov 0000 08:49:37 GMT", None),
        (b"", None),
    ],
)
def test_a_date_has_one_form(text: bytes, instant: datetime | None) -> None:
    assert date(text) == instant
