"""What a caller's headers ask of the cache."""

import pytest

from llmring_core.gateway.caching import MAX_PATH, CachePolicy, Terms, terms_of
from tests.builders.caching import FORCED, POLICY, a_call, terms


def said(value: bytes) -> tuple[bytes, bytes]:
    return (b"cache-control", value)


class TestWhatIsLookedUp:
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_reading_is_looked_up_by_itself(self, method: str) -> None:
        found = terms(method=method)
        assert found == Terms(
            reads=True, stores=True, bypasses=False, max_age_s=None, forced_ttl_s=None
        )

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "get", ""])
    def test_other_methods_never_are(self, method: str) -> None:
        found = terms(FORCED, method=method)
        assert not found.reads and not found.stores

    @pytest.mark.parametrize(
        ("value", "ttl_s"),
        [
            (b"public, max-age=60", 60),
            (b"max-age=60,public", 60),
            (b'PUBLIC , Max-Age="60"', 60),
            (b"public, s-maxage=30, max-age=60", 30),
            (b"public, max-age=99999999999999999999", POLICY.max_ttl_s),
            (b"public, max-age=60, max-age=20", 20),
            (b"public", None),
            (b"max-age=60", None),
            (b"public, max-age=0", None),
            (b"public, max-age=-1", None),
            (b"public, max-age=1.5", None),
            (b"public, max-age=\xb2", None),
            (b"public, s-maxage=0, max-age=60", None),
            (b"notpublic, max-age=60", None),
            (b'x="public, max-age=60"', None),
            (b"", None),
        ],
    )
    def test_posting_is_when_its_caller_says_public_and_for_how_long(
        self, value: bytes, ttl_s: int | None
    ) -> None:
        found = terms(said(value), method="POST")
        assert found.forced_ttl_s == ttl_s
        assert (found.reads, found.stores) == (ttl_s is not None, ttl_s is not None)

    def test_several_headers_are_one_list(self) -> None:
        assert terms(said(b"public"), said(b"max-age=7"), method="POST").forced_ttl_s == 7

    @pytest.mark.parametrize(
        "name", [b"range", b"if-range", b"if-match", b"if-unmodified-since", b"upgrade"]
    )
    def test_a_part_or_a_condition_is_the_providers_to_answer(self, name: bytes) -> None:
        found = terms((name, b"x"), FORCED)
        assert not found.reads and not found.stores

    def test_a_body_is_known_whole_and_within_its_limit(self) -> None:
        policy = CachePolicy(max_body_bytes=3)
        for body, is_known in ((b"abc", True), (b"abcd", False), (None, False)):
            found = terms_of(a_call(FORCED, method="POST", body=body), policy)
            assert found.reads is found.stores is is_known

    def test_an_endless_path_is_not_kept(self) -> None:
        assert terms_of(a_call(path="/" * MAX_PATH), POLICY).stores
        assert not terms_of(a_call(path="/" * (MAX_PATH + 1)), POLICY).stores


class TestWhoWantsTheProviderAsked:
    @pytest.mark.parametrize("value", [b"no-cache", b"max-age=0", b"max-age=junk", b"max-age"])
    def test_gets_an_answer_that_is_kept_for_others(self, value: bytes) -> None:
        found = terms(said(value))
        assert (found.reads, found.stores, found.bypasses) == (False, True, True)

    def test_keeps_his_own_answer_out_of_the_cache(self) -> None:
        found = terms(said(b"public, max-age=60, no-store"))
        assert (found.reads, found.stores, found.bypasses) == (False, False, True)

    def test_may_say_so_as_in_old_times_unless_he_says_something_newer(self) -> None:
        assert terms((b"pragma", b"no-cache")).bypasses
        assert not terms((b"pragma", b"no-cache"), said(b"max-age=5")).bypasses

    def test_refreshes_what_he_asked_to_be_kept(self) -> None:
        found = terms(FORCED, said(b"no-cache"), method="POST")
        assert (found.reads, found.stores, found.forced_ttl_s) == (False, True, 60)


def test_who_wants_a_young_answer_says_how_young() -> None:
    assert terms(said(b"max-age=5")).max_age_s == 5
