"""An answer is read along while it passes, however it is cut, and tells when it ends."""

from collections.abc import Sequence
from typing import Any

import pytest

from llmring_core.gateway.dialects import TokenCounter
from llmring_core.gateway.forwarding import Asked, Metered
from llmring_core.gateway.metering import MAX_BODY, meter_for
from llmring_core.usage import Tokens
from tests.unit.gateway.dialects.streams import CASES, STREAMS, bytes_of, expected

ENDPOINTS = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "openai-embeddings": "/v1/embeddings",
    "anthropic-messages": "/v1/messages",
}
MODEL = "/v1beta/models/gemini-2.5-flash"


def asked(case: dict[str, Any], **changes: Any) -> Asked:
    verb = "generateContent" if case["framing"] == "body" else "streamGenerateContent"
    usual: dict[str, Any] = {
        "provider": case["dialect"].partition("-")[0],
        "method": "POST",
        "endpoint": ENDPOINTS.get(case["dialect"], f"{MODEL}:{verb}"),
        "model": None,
        "body": None,
        "status": 200,
        "media_type": "text/event-stream" if case["framing"] == "sse" else "application/json",
    }
    return Asked(**(usual | changes))


def read(case: dict[str, Any], size: int, **changes: Any) -> tuple[Metered, int]:
    """What the meter makes of an answer in chunks of ``size``, and how often it saw the end."""
    meter, answer = meter_for(asked(case, **changes)), bytes_of(case)
    ends = sum(meter.feed(answer[at : at + size]) for at in range(0, len(answer), size))
    return meter.result(), ends


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("size", [7, 1_000_000])
def test_what_every_answer_used_is_told(name: str, size: int) -> None:
    reading = expected(CASES[name])
    metered, ends = read(CASES[name], size)
    assert (metered.tokens, metered.source) == (reading.tokens, reading.source)
    assert metered.whole is (reading.terminal or name not in STREAMS)
    assert ends <= reading.terminal


def test_the_end_is_seen_before_it_is_passed_on() -> None:
    case = CASES["openai-chat-usage-last.sse"]
    assert read(case, 7)[1] == 1


class PerCharacter(TokenCounter):
    """Counts what it was given, a token for each character."""

    def count(self, model: str, texts: Sequence[str]) -> int:
        assert model == "gpt-4o"
        return sum(map(len, texts))


def test_an_answer_that_tells_all_is_not_estimated() -> None:
    case = CASES["openai-chat-usage-last.sse"]
    meter = meter_for(asked(case))
    meter.feed(bytes_of(case))

    assert meter.result().final
    assert meter.estimated(PerCharacter()) == meter.result()


def test_what_a_stream_does_not_tell_is_counted() -> None:
    sent = b'{"model":"gpt-4o","messages":[{"role":"user","content":"12345"}]}'
    meter = meter_for(asked(CASES["openai-chat-usage-last.sse"], model="gpt-4o", body=sent))
    meter.feed(b'data: {"choices":[{"index":0,"delta":{"content":"abc"}}]}\n\n')

    assert not meter.result().final
    assert meter.estimated(PerCharacter()) == Metered(
        tokens=Tokens(input_uncached=5 + 3 + 3, output=3),
        source="estimated",
        whole=False,
        final=False,
    )


def test_a_provider_that_failed_charges_nothing() -> None:
    case = next(case for case in CASES.values() if case["framing"] == "body")
    meter = meter_for(asked(case, endpoint="/v1/chat/completions"))
    meter.feed(b'{"error":{"code":"server_error","message":"no"}}')

    assert meter.result() == Metered(final=True, failed=True)


@pytest.mark.parametrize(
    "changes", [{"status": 429}, {"method": "GET"}, {"endpoint": "/v1/files"}], ids=str
)
def test_other_answers_are_not_read(changes: dict[str, Any]) -> None:
    metered, ends = read(CASES["openai-chat-usage-last.sse"], 7, **changes)
    assert (metered, ends) == (Metered(), 0)


def test_a_body_beyond_all_measure_is_not_kept() -> None:
    case = next(case for case in CASES.values() if case["framing"] == "body")
    meter = meter_for(asked(case))
    for _ in range(3):
        meter.feed(b" " * MAX_BODY)
    meter.feed(bytes_of(case))
    assert meter.result().source == "missing"
