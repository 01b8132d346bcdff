"""Which calls are let through, to whom, and what is looked at."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmring_core.errors import LLMRingError
from llmring_core.gateway.forwarding import (
    Call,
    EndpointNotFound,
    HeaderRequired,
    MethodNotAllowed,
    OriginNotAllowed,
    OriginRequired,
    ParamNotAllowed,
    Providers,
    called,
    opened,
)
from tests.builders.forwarding import CLAUDE, PROVIDER, head, provider, providers

BOTH = providers(PROVIDER, CLAUDE)
AWKWARD = [b"[" * 900 + b"]" * 900, b"9" * 5000, b'"\xff\xfe"', b'"\\ud800"', b"-0.0e999"]
ONLY_4O = providers(provider(params={"model": ("gpt-4o", "gpt-4o-*")}))


def call(
    some: Providers,
    body: bytes | None = b"{}",
    method: str = "POST",
    path: str = "/v1/chat/completions",
    **headers: str,
) -> Call:
    asked = head(method, path, **headers)
    return called(opened(some, asked), asked, body)


def test_the_default_is_asked_unless_address_or_model_say_otherwise() -> None:
    assert call(BOTH).provider.name == "openai"
    assert call(BOTH, b'{"model":"claude-4"}', path="/v1/messages").provider.name == "anthropic"
    assert call(BOTH, path="/v1/anthropic/v1/messages").endpoint == "/v1/messages"
    assert call(BOTH, path="/v1/anthropic/messages").provider.name == "anthropic"
    assert call(BOTH, b'{"model":"gpt-4o"}').provider.name == "openai"


def test_a_model_that_another_provider_serves_does_not_open_its_addresses() -> None:
    with pytest.raises(MethodNotAllowed):
        call(BOTH, None, "DELETE")
    with pytest.raises(EndpointNotFound):
        call(BOTH, b'{"model":"claude-4"}')
    with pytest.raises(EndpointNotFound):
        call(BOTH, b'{"model":"gpt-4o"}', path="/v1/messages")


def test_a_base_address_with_a_path_stands_in_for_v1() -> None:
    groq = providers(provider(origin="https://api.groq.com", base_path="/openai/v1"))

    assert call(groq, path="/v1/chat/completions?a=%20b").target == (
        "/openai/v1/chat/completions?a=%20b"
    )


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"model":"gpt-5"}', "model"),
        (b'{"model":"gpt-4o ","a":1}', "model"),
        (b'{"mod\\u0065l":"gpt-5"}', "model"),
        (b'{"Model":"gpt-4o"}', "model"),
        (b'{"model":"gpt-4o","MODEL":"gpt-5"}', "model"),
        (b'{"model":"gpt-4o","model":"gpt-5"}', "model"),
        (b'{"model":"gpt-5", "model":"gpt-4o"}', "model"),
        (b'{"model":"gpt-4o","mod\\u0065l":"gpt-4o"}', "model"),
        (b'{"model":["gpt-4o"]}', "model"),
        (b'{"model":null}', "model"),
        (b"[]", None),
        (b"{", None),
        (b"[" * 10_000, None),
        (None, None),
    ],
)
def test_only_allowed_values_pass_however_they_are_spelt(
    body: bytes | None, param: str | None
) -> None:
    with pytest.raises(ParamNotAllowed) as refused:
        call(ONLY_4O, body)

    assert refused.value.param == param


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"gpt-4o"}',
        b'{"model":"gpt-4o-mini","messages":[{"model":"gpt-5","model":"gpt-6"}]}',
        b'{ "a" : 1 , "a" : 2 ,\n\n\n\n "model" : "gpt-4o" }',
        b'{"mod\\u0065l":"gpt-4\\u006f"}',
        b"{}",
    ],
)
def test_everything_else_is_free(body: bytes) -> None:
    assert call(ONLY_4O, body).provider.name == "openai"


@given(
    st.one_of(
        st.binary(max_size=200),
        st.tuples(st.sampled_from(AWKWARD), st.binary(max_size=20)).map(
            lambda parts: b'{ "model" : "gpt-4o" , "a" : ' + parts[0] + parts[1] + b" }"
        ),
    )
)
@example(b'{ "model" : "gpt-4o" , "a" : ' + AWKWARD[0] + b" , \t\t\t\t }")
@example(b'{ "model" : "gpt-4o" , "a" : ' + AWKWARD[0] + b" }")
@example(b'{ "model" : "gpt-4o" , "a" : ' + AWKWARD[1] + b" }")
@example(b'{ "model" : "gpt-4o" , "a" : ' + AWKWARD[2] + b" }")
def test_whatever_the_body_holds_is_let_through_or_refused(body: bytes) -> None:
    for some in (BOTH, ONLY_4O):
        try:
            found = call(some, body)
        except LLMRingError:
            continue
        assert found.provider.name == "openai"


def test_the_refusal_names_the_patterns() -> None:
    with pytest.raises(ParamNotAllowed, match=r"value 'x' is not allowed.*\[gpt-4o gpt-4o-\*\]"):
        call(ONLY_4O, b'{"model":"x"}')


def test_values_in_the_address_are_looked_at_too() -> None:
    gemini = providers(
        provider(
            endpoints=("/v1beta/models/*",),
            params={"model": ("gemini-2.5-*",)},
        )
    )
    with pytest.raises(ParamNotAllowed):
        call(ONLY_4O, b"{}", path="/v1/chat/completions?model=gpt-5")
    with pytest.raises(ParamNotAllowed):
        call(gemini, b"{}", path="/v1beta/models/gemini-1:generateContent")

    found = call(gemini, b"{}", path="/v1beta/models/gemini-2.5-pro:generateContent")

    assert found.model == "gemini-2.5-pro"


def test_what_is_no_text_is_compared_as_it_is_written() -> None:
    some = providers(provider(params={"n": ("1", "true")}))
    call(some, b'{"n":1}')
    call(some, b'{"n":true}')
    with pytest.raises(ParamNotAllowed):
        call(some, b'{"n":2}')


def test_pages_and_headers_are_as_the_provider_wants_them() -> None:
    some = providers(
        provider(origins=frozenset({"https://a.example"}), required_headers=("origin", "x-team"))
    )
    refusals: list[tuple[type[LLMRingError], dict[str, str]]] = [
        (OriginRequired, {"x_team": "1"}),
        (HeaderRequired, {"origin": "https://a.example"}),
        (OriginNotAllowed, {"origin": "https://b.example", "x_team": "1"}),
        (OriginNotAllowed, {"origin": "https://a.example.evil", "x_team": "1"}),
    ]
    for refusal, headers in refusals:
        with pytest.raises(refusal):
            call(some, **headers)

    call(some, origin="https://a.example", x_team="1")


def test_methods_are_looked_at_before_addresses() -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        call(BOTH, None, "TRACE", "/v1/nothing")

    assert refused.value.methods == ["GET", "OPTIONS", "POST"]
