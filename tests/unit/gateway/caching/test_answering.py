"""How a stored answer is given again: as it came, with its age, or as 304."""

from datetime import timedelta

import pytest

from llmring_core.gateway.caching import (
    CachePolicy,
    Pair,
    Standing,
    announced,
    is_fresh,
    replied,
    serves,
    standing_of,
)
from tests.builders.caching import FORCED, PIECES, PUBLIC, a_call, a_key, an_answer, terms, verdict
from tests.builders.kernel import MICROSECOND, NOON

KEY = a_key()
SECOND = timedelta(seconds=1)
ETAG = (b"etag", b'"aB-1"')
MODIFIED = (b"last-modified", b"Fri, 20 Nov 2026 10:00:00 GMT")
TOLD: list[Pair] = [
    (b"cache-status", b"llm-proxy; hit"),
    (b"x-proxy-cache", b"hit"),
    (b"x-proxy-cache-key", KEY.digest.encode()),
]


class TestAHit:
    def test_is_the_answer_as_it_came_and_how_old_it_is(self) -> None:
        answer = an_answer(ETAG, initial_age_s=5)
        reply = replied(a_call(), KEY, answer, NOON + 3.9 * SECOND)
        assert (reply.status, reply.pieces) == (200, PIECES)
        assert reply.headers == (*answer.headers, (b"age", b"8"), *TOLD)

    def test_ends_with_its_freshness(self) -> None:
        answer = an_answer(ttl_s=60)
        assert is_fresh(answer, NOON)
        assert is_fresh(answer, NOON + 60 * SECOND - MICROSECOND)
        assert not is_fresh(answer, NOON + 60 * SECOND)

    def test_is_not_from_the_future(self) -> None:
        assert not is_fresh(an_answer(), NOON - MICROSECOND)

    def test_is_as_young_as_its_caller_wants(self) -> None:
        wanted = terms((b"cache-control", b"max-age=10"))
        answer = an_answer(initial_age_s=4)
        assert serves(answer, wanted, NOON + 6 * SECOND)
        assert not serves(answer, wanted, NOON + 7 * SECOND)
        assert serves(answer, terms(), NOON + 7 * SECOND)
        assert not serves(answer, terms(), NOON + 60 * SECOND)


class TestWhoHasItAlready:
    @pytest.mark.parametrize(
        "condition",
        [
            (b"if-none-match", b'"aB-1"'),
            (b"if-none-match", b'W/"aB-1"'),
            (b"if-none-match", b'"x,y", "aB-1"'),
            (b"if-none-match", b"*"),
            (b"if-modified-since", b"Fri, 20 Nov 2026 10:00:00 GMT"),
            (b"if-modified-since", b"Fri, 20 Nov 2026 10:00:01 GMT"),
        ],
    )
    def test_is_told_so(self, condition: Pair) -> None:
        answer = an_answer(ETAG, MODIFIED, PUBLIC, (b"content-length", b"9"))
        reply = replied(a_call(condition), KEY, answer, NOON)
        assert (reply.status, reply.pieces) == (304, ())
        names = [name for name, _ in reply.headers]
        assert reply.headers[:3] == (ETAG, MODIFIED, PUBLIC)
        assert names[3:] == [b"age", b"cache-status", b"x-proxy-cache", b"x-proxy-cache-key"]
        assert (b"x-proxy-cache", b"conditional-hit") in reply.headers

    @pytest.mark.parametrize(
        "conditions",
        [
            [(b"if-none-match", b'"ab-1"')],
            [(b"if-none-match", b'"aB-1')],
            [(b"if-none-match", b"aB-1")],
            [(b"if-none-match", b'"other"'), (b"if-modified-since", MODIFIED[1])],
            [(b"if-modified-since", b"Fri, 20 Nov 2026 09:59:59 GMT")],
            [(b"if-modified-since", b"soon")],
            [(b"if-modified-since", MODIFIED[1])] * 2,
        ],
    )
    def test_and_nobody_else_is(self, conditions: list[Pair]) -> None:
        answer = an_answer(ETAG, MODIFIED)
        assert replied(a_call(*conditions), KEY, answer, NOON).status == 200

    def test_does_not_post(self) -> None:
        call = a_call((b"if-none-match", b"*"), method="POST")
        assert replied(call, KEY, an_answer(ETAG), NOON).status == 200

    def test_cannot_be_told_of_an_answer_without_a_name(self) -> None:
        call = a_call((b"if-none-match", b'"aB-1"'))
        assert replied(call, KEY, an_answer(), NOON).status == 200


class TestWhatIsAnnounced:
    @pytest.mark.parametrize(
        ("standing", "short"),
        [
            ("hit", b"hit"),
            ("conditional-hit", b"conditional-hit"),
            ("bypass", b"bypass"),
            ("stored", b"stored"),
            ("stored (forced)", b"stored"),
            ("miss", None),
        ],
    )
    def test_has_the_words_clients_know(self, standing: Standing, short: bytes | None) -> None:
        found = dict(announced(standing, KEY))
        assert found[b"cache-status"] == f"llm-proxy; {standing}".encode()
        assert found.get(b"x-proxy-cache") == short
        assert found[b"x-proxy-cache-key"] == KEY.digest.encode()

    def test_says_why_an_answer_is_not_kept(self) -> None:
        assert dict(announced("miss", KEY, verdict()))[b"x-cache-debug"] == b"not-public"
        assert b"x-cache-debug" not in dict(announced("stored", KEY, verdict(PUBLIC)))

    def test_names_no_key_of_a_call_that_has_none(self) -> None:
        assert announced("miss", None) == ((b"cache-status", b"llm-proxy; miss"),)

    def test_of_a_stream_is_no_promise(self) -> None:
        stream = (b"content-type", b"text/event-stream")
        policy = CachePolicy(stream_responses=True)
        assert standing_of(terms(), verdict(PUBLIC), [PUBLIC]) == "stored"
        forced = verdict(asked=[FORCED])
        assert standing_of(terms(FORCED), forced, []) == "stored (forced)"
        kept = verdict(PUBLIC, stream, policy=policy)
        assert standing_of(terms(), kept, [PUBLIC, stream]) == "miss"
        assert standing_of(terms(), verdict(), []) == "miss"
        wanted = (b"cache-control", b"no-cache")
        assert standing_of(terms(wanted), verdict(), []) == "bypass"
