"""One normal form of an address, or none."""

import pytest

from llmring_core.gateway.forwarding import CredentialInQuery, EndpointNotFound
from llmring_core.gateway.forwarding.paths import (
    check_query,
    endpoint_pattern,
    glob_pattern,
    normal_path,
)


@pytest.mark.parametrize(
    ("sent", "normal"),
    [
        (b"/v1/chat/completions", "/v1/chat/completions"),
        (b"/v1/%63hat/completions", "/v1/chat/completions"),
        (b"/v1/models/gpt-4.1", "/v1/models/gpt-4.1"),
        (
            b"/v1beta/models/gemini-2.5-pro%3AgenerateContent",
            "/v1beta/models/gemini-2.5-pro:generateContent",
        ),
        (b"/v1/models/ft:gpt-4o:acme::a1", "/v1/models/ft:gpt-4o:acme::a1"),
    ],
)
def test_equal_addresses_have_one_form(sent: bytes, normal: str) -> None:
    assert normal_path(sent) == normal


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"/",
        b"v1/models",
        b"/v1/models/",
        b"/v1//models",
        b"/v1/./models",
        b"/v1/../models",
        b"/v1/%2e%2e/models",
        b"/v1/%252e%252e/models",
        b"/v1/a%2fb",
        b"/v1/a%5cb",
        b"/v1/a\\b",
        b"/v1/models;a=b",
        b"/v1/models%00",
        b"/v1/models%0d%0aX: y",
        b"/v1/models.",
        b"/v1/models%20",
        b"/v1/models\n",
        b"/v1/mod\xc3\xa9ls",
        b"/v1/mod%c3%a9ls",
        b"/v1/models%",
        b"/v1/models%zz",
        b"/v1/models?x",
        b"/v1/models#x",
    ],
)
def test_addresses_that_could_mean_two_things_have_none(sent: bytes) -> None:
    with pytest.raises(EndpointNotFound):
        normal_path(sent)


def test_an_endpoint_is_matched_whole_and_a_star_stays_in_its_segment() -> None:
    assert endpoint_pattern("/v1/models/*").fullmatch("/v1/models/gpt-4o")
    assert not endpoint_pattern("/v1/models/*").fullmatch("/v1/models/a/b")
    assert not endpoint_pattern("/v1/models/*").fullmatch("/v1/models/")
    assert not endpoint_pattern("/v1/models").fullmatch("/v1/models-not-really")
    assert not endpoint_pattern("/v1/models").fullmatch("/v1/Models")
    assert not endpoint_pattern("/v1/a.b").fullmatch("/v1/aXb")


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("gpt-4o-*", ["gpt-4o-", "gpt-4o-mini"], ["gpt-4o", "gpt-4o-a/b", "xgpt-4o-a"]),
        ("o?-mini", ["o4-mini"], ["o-mini", "o44-mini", "o/-mini"]),
        ("gpt-[45]", ["gpt-4", "gpt-5"], ["gpt-6", "gpt-45"]),
        ("gpt-[!45]", ["gpt-6"], ["gpt-4"]),
        ("gpt-[0-9]", ["gpt-7"], ["gpt-x"]),
        ("a[", ["a["], ["a"]),
        ("a.b", ["a.b"], ["axb"]),
        ("gpt-4o", ["gpt-4o"], ["gpt-4o ", "GPT-4o", "gpt-4o\n"]),
    ],
)
def test_globs_are_those_of_a_shell(glob: str, yes: list[str], no: list[str]) -> None:
    pattern = glob_pattern(glob)

    assert [text for text in yes + no if pattern.fullmatch(text)] == yes


@pytest.mark.parametrize(
    "query", [b"key=a", b"a=1&api_key=b", b"Access_Token=c", b"a=1;k%65y=b", b"key", b"+key=a"]
)
def test_no_credential_stands_in_an_address(query: bytes) -> None:
    with pytest.raises(CredentialInQuery):
        check_query(query)


def test_other_queries_are_free() -> None:
    check_query(b"limit=5&after=key&keys=1&%ff=a")
