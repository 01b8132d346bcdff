"""How events are written down, and what is never written."""

from base64 import b64encode
from decimal import Decimal
from typing import Any

import pytest
from msgspec import json

from llmring_core.gateway.events import CallEvent, file_form, wire_form
from llmring_core.usage import Tokens
from tests.builders.events import REFUSED, an_event
from tests.builders.kernel import P1

SECRET = b"Zq7canary"
ANSWERED = an_event(
    status=200,
    response_headers=((b"content-type", b"text/plain"), (b"x-a", b"1"), (b"X-A", b"\xe9")),
    request_body='{"model":"gpt-4o-é"}'.encode(),
    response_body=b"\xff\x00",
    project=P1,
    token_id="t-1",  # noqa: S106  its name
    token_metadata={"user_id": "ü"},
    provider="openai",
    model="gpt-4o-é",
    tokens=Tokens(input_uncached=5, input_cache_read=2, output=3, output_reasoning=4),
    usage_source="provider",
    cost_usd=Decimal("0.000000000001"),
    outcome="complete",
    cache="miss",
)
SECRETS = [
    b"set-cookie",
    b"Set-Cookie2",
    b"AUTHORIZATION",
    b"proxy-authorization",
    b"www-authenticate",
    b"x-api-key",
    b"x-goog-api-key",
    b"apikey",
    b"x-amz-security-token",
    b"x-client-secret",
]


def written(event: CallEvent) -> dict[str, Any]:
    return dict(json.decode(file_form(event)))


def sent(event: CallEvent) -> dict[str, Any]:
    return dict(json.decode(wire_form(event)))


def test_what_is_sent_has_exactly_the_keys_that_others_read() -> None:
    assert sent(REFUSED) == {
        "LogID": 0,
        "RequestID": "r-0",
        "Method": "POST",
        "Path": "/v1/chat/completions",
        "Status": 401,
        "Duration": 1_234_567,
        "ResponseHeaders": {"Content-Type": ["application/json"]},
        "ResponseBody": "",
        "RequestBody": "",
    }


def test_what_is_sent_of_an_answer_has_its_bodies_in_base64_and_whose_it_is() -> None:
    form = sent(ANSWERED)

    assert form["ResponseHeaders"] == {"Content-Type": ["text/plain"], "X-A": ["1", "é"]}
    assert form["RequestBody"] == b64encode(ANSWERED.request_body).decode()
    assert form["ResponseBody"] == "/wA="
    assert (form["ProjectID"], form["TokenID"]) == (P1, "t-1")
    assert form["TokenMetadata"] == {"user_id": "ü"}
    assert set(form) - set(sent(REFUSED)) == {"ProjectID", "TokenID", "TokenMetadata"}


def test_a_line_of_a_refusal_says_nothing_of_a_provider() -> None:
    assert written(REFUSED) == {
        "time": "2026-11-20T12:00:00.123456Z",
        "log_id": 0,
        "request_id": "r-0",
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 401,
        "duration": 1_234_567,
        "response_headers": {"content_type": ["application/json"]},
        "request_body": "",
        "response_body": "",
    }


def test_a_line_of_an_answer_says_what_it_consumed() -> None:
    line = written(ANSWERED)

    assert line["request_body"] == '{"model":"gpt-4o-é"}'
    assert line["response_headers"] == {"content_type": ["text/plain"], "x_a": ["1", "é"]}
    assert line["token_usage"] == {
        "prompt_tokens": 7,
        "completion_tokens": 7,
        "total_tokens": 14,
    }
    assert line["cost_usd"] == "0.000000000001"
    facts = ("provider", "outcome", "usage_source", "cache", "project_id", "token_id")
    assert [line[fact] for fact in facts] == ["openai", "complete", "provider", "miss", P1, "t-1"]


def test_a_body_that_is_no_text_is_base64_and_says_so() -> None:
    line = written(an_event(request_body=b"\xff", response_body=b"\xff\x00"))

    assert (line["request_body"], line["request_body_binary"]) == ("/w==", True)
    assert (line["response_body"], line["response_body_binary"]) == ("/wA=", True)


def test_a_cut_through_a_character_leaves_text() -> None:
    cut = "aé".encode()[:-1]

    line = written(an_event(response_body=cut, is_response_truncated=True))
    whole = written(an_event(response_body=cut))

    assert (line["response_body"], line["response_body_truncated"]) == ("a", True)
    assert whole["response_body_binary"] is True and "response_body_truncated" not in whole


@pytest.mark.parametrize("name", SECRETS)
def test_no_credential_is_written_or_sent(name: bytes) -> None:
    event = an_event(response_headers=((name, SECRET), (b"x-b", b"1")))

    assert SECRET not in file_form(event) + wire_form(event)
    assert written(event)["response_headers"] == {"x_b": ["1"]}


def test_counts_of_tokens_are_no_credential() -> None:
    event = an_event(response_headers=((b"x-ratelimit-remaining-tokens", b"149"),))

    assert sent(event)["ResponseHeaders"] == {"X-Ratelimit-Remaining-Tokens": ["149"]}


def test_a_trace_repeats_no_body() -> None:
    assert "Zq7canary" not in repr(an_event(request_body=SECRET, response_body=SECRET))
