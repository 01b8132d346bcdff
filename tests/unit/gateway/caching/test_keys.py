"""What an answer is kept under: everything its provider was sent, the tenant first."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from llmring_core.gateway.caching import CacheableCall, Pair, address_of, canonical_query, key_of
from llmring_core.ids import ProjectId
from tests.builders.caching import a_call
from tests.builders.kernel import P1, P2

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
HEADER = st.tuples(st.sampled_from([b"accept", b"openai-beta", b"x-new"]), st.binary(max_size=4))
CALLS = st.builds(
    CacheableCall,
    project=st.sampled_from([P1, P2, ProjectId(""), ProjectId(f"{P1}o")]),
    provider=TEXT,
    account=TEXT,
    method=st.sampled_from(["GET", "HEAD", "POST"]),
    path=TEXT,
    query=st.binary(max_size=12),
    headers=st.lists(HEADER, max_size=3),
    body=st.none() | st.binary(max_size=8),
)


def keyed(call: CacheableCall) -> tuple[Any, ...]:
    """Return the parts of a call that a key depends on."""
    headers = sorted(call.headers, key=lambda pair: pair[0])
    whose = (call.project, call.provider, call.account)
    return (*whose, call.method, call.path, canonical_query(call.query), headers, call.body)


@given(CALLS, CALLS)
def test_two_calls_have_one_key_when_and_only_when_all_their_parts_are_equal(
    one: CacheableCall, other: CacheableCall
) -> None:
    assert (key_of(one) == key_of(other)) is (keyed(one) == keyed(other))
    assert (key_of(one).digest == key_of(other).digest) is (keyed(one) == keyed(other))


@given(CALLS, st.sampled_from([P1, P2]))
def test_two_tenants_never_share_a_key(call: CacheableCall, tenant: ProjectId) -> None:
    stranger = ProjectId(f"{tenant}x")
    mine, theirs = key_of(replace(call, project=tenant)), key_of(replace(call, project=stranger))
    assert mine.digest != theirs.digest
    assert (mine.project, theirs.project) == (tenant, stranger)


CHANGES: dict[str, dict[str, Any]] = {
    "project": {"project": P2},
    "provider": {"provider": "other"},
    "account": {"account": "k2"},
    "method": {"method": "HEAD"},
    "path": {"path": "/v1/model"},
    "query": {"query": b"a=2"},
    "body": {"body": b"{ }"},
    "no body": {"body": None},
    "an empty body": {"body": b""},
    "a header's value": {"headers": [(b"accept", b"b")]},
    "a header's name": {"headers": [(b"accep", b"ta")]},
    "one header more": {"headers": [(b"accept", b"a"), (b"anthropic-beta", b"x")]},
    "one header less": {"headers": []},
    "one header twice": {"headers": [(b"accept", b"a"), (b"accept", b"a")]},
}


@given(CALLS, st.sampled_from(sorted(CHANGES)))
def test_any_change_of_a_part_changes_the_key(call: CacheableCall, what: str) -> None:
    changed = replace(call, **CHANGES[what])
    assert (key_of(call) == key_of(changed)) is (keyed(call) == keyed(changed))


@pytest.mark.parametrize("what", sorted(CHANGES))
def test_each_part_is_one_of_the_key(what: str) -> None:
    call = a_call((b"accept", b"a"), query=b"a=1", body=b"{}")
    assert key_of(call).digest != key_of(replace(call, **CHANGES[what])).digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"a=1%26b=2", b"a=1&b=2"),
        (b"a=1,2", b"a=1&a=2"),
        (b"a=1&a=2", b"a=2&a=1"),
        (b"a=%2F", b"a=/"),
        (b"a", b"a="),
        (b"", b"&"),
        (b"a=1", b"a=1&a=1"),
        (b"a=b&c", b"a&c=b"),
    ],
)
def test_queries_that_may_mean_something_else_differ(one: bytes, other: bytes) -> None:
    assert key_of(a_call(query=one)) != key_of(a_call(query=other))


def test_the_order_of_different_parameters_means_nothing() -> None:
    one, other = a_call(query=b"b=2&a=1&b=1"), a_call(query=b"a=1&b=2&b=1")
    assert key_of(one) == key_of(other)


@pytest.mark.parametrize(
    "header",
    [
        (b"user-agent", b"OpenAI/Python 2.0"),
        (b"x-stainless-retry-count", b"1"),
        (b"x-request-id", b"r1"),
        (b"cache-control", b"public, max-age=5"),
        (b"if-none-match", b'"x"'),
        (b"content-length", b"7"),
    ],
)
def test_what_says_nothing_about_what_is_asked_for_is_left_out(header: Pair) -> None:
    assert key_of(a_call()) == key_of(a_call(header))


def test_a_header_that_claims_to_know_the_body_is_only_a_header() -> None:
    spoof = (b"x-body-hash", b"0" * 64)
    assert key_of(a_call(spoof, body=b"a")) != key_of(a_call(body=b"a"))
    assert key_of(a_call(spoof, body=b"a")) != key_of(a_call(spoof, body=b"b"))


def test_where_a_part_ends_is_part_of_the_key() -> None:
    assert key_of(a_call(provider="ab", account="c")) != key_of(a_call(provider="a", account="bc"))


def test_the_address_is_the_same_for_everybody_and_every_variant() -> None:
    mine = key_of(a_call((b"accept", b"a"), query=b"b=1&a=2", body=b"x"))
    theirs = key_of(a_call(project=P2, account="k9", query=b"a=2&b=1"))
    assert mine.address == theirs.address == address_of("GET", "/v1/models", b"a=2&b=1")
    others = [("HEAD", "/v1/models", b"a=2&b=1"), ("GET", "/v1/model", b"a=2&b=1")]
    assert mine.address not in [address_of(*other) for other in others]
    assert len(mine.address) == 32 and len(mine.digest) == 64
