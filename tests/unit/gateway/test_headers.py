"""Which headers travel, both ways."""

import pytest

from llmring_core.gateway.forwarding import presented_secret, to_client, to_upstream
from llmring_core.gateway.forwarding.providers import Credential

KEPT = [
    (b"content-type", b"application/json"),
    (b"openai-beta", b"a"),
    (b"openai-beta", b"b"),
    (b"anthropic-version", b"2023-06-01"),
    (b"user-agent", b"x"),
    (b"accept", b"text/event-stream"),
    (b"idempotency-key", b"k"),
]


def test_what_is_not_for_the_provider_stays_here() -> None:
    others = [
        b"host content-length transfer-encoding connection keep-alive te trailer upgrade expect",
        b"authorization x-api-key api-key x-goog-api-key x-project-key x-user-id x-project-id",
        b"cookie openai-organization openai-project accept-encoding x-request-id x-body-hash",
        b"forwarded via origin referer x-real-ip cf-connecting-ip x-forwarded-for sec-fetch-site",
        b"x-forwarded-host x-http-method-override proxy-authorization x-llmring-any x-proxy-id",
    ]
    sent = [*KEPT, *[(name, b"mine") for name in b" ".join(others).split()]]

    headers = to_upstream(sent, "bearer", "sk-theirs", "id-1")

    assert headers == [
        *KEPT,
        (b"authorization", b"Bearer sk-theirs"),
        (b"accept-encoding", b"identity"),
        (b"x-request-id", b"id-1"),
    ]


def test_connection_names_what_is_for_us_only_and_cannot_take_ours_away() -> None:
    sent = [
        (b"connection", b"close, X-Hop"),
        (b"connection", b"Authorization,x-request-id"),
        (b"x-hop", b"a"),
        (b"x-other", b"b"),
    ]

    headers = dict(to_upstream(sent, "x-api-key", "sk", "id-1"))

    assert headers == {
        b"x-other": b"b",
        b"x-api-key": b"sk",
        b"accept-encoding": b"identity",
        b"x-request-id": b"id-1",
    }


def test_a_provider_says_nothing_about_our_host() -> None:
    received = [
        (b"content-type", b"text/event-stream"),
        (b"retry-after", b"7"),
        (b"content-encoding", b"gzip"),
        (b"x-request-id", b"req_1"),
        (b"set-cookie", b"a=b"),
        (b"strict-transport-security", b"max-age=1"),
        (b"alt-svc", b"h3"),
        (b"location", b"https://evil.example"),
        (b"access-control-allow-origin", b"*"),
        (b"x-llmring-error", b"invalid_token"),
        (b"connection", b"x-internal"),
        (b"x-internal", b"1"),
        (b"transfer-encoding", b"chunked"),
    ]

    assert to_client(received, 200) == [
        (b"content-type", b"text/event-stream"),
        (b"retry-after", b"7"),
        (b"content-encoding", b"gzip"),
        (b"x-upstream-request-id", b"req_1"),
    ]


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body_have_no_length(status: int) -> None:
    assert to_client([(b"content-length", b"5"), (b"etag", b"a")], status) == [(b"etag", b"a")]


@pytest.mark.parametrize(
    ("headers", "credential", "secret"),
    [
        ({b"authorization": b"Bearer sk-1"}, "bearer", "sk-1"),
        ({b"authorization": b"bEARER  sk-1 "}, "x-api-key", "sk-1"),
        ({b"authorization": b"Basic sk-1"}, "bearer", None),
        ({b"authorization": b"Bearer "}, "bearer", None),
        ({b"x-api-key": b"sk-1"}, "bearer", None),
        ({b"x-api-key": b" sk-1 "}, "x-api-key", "sk-1"),
        ({b"x-goog-api-key": b"sk-1"}, "x-goog-api-key", "sk-1"),
        ({b"x-api-key": b"sk-1"}, "x-goog-api-key", None),
        ({}, "x-api-key", None),
    ],
)
def test_a_token_comes_as_the_providers_own_clients_send_keys(
    headers: dict[bytes, bytes], credential: Credential, secret: str | None
) -> None:
    assert presented_secret(headers, credential) == secret
