"""Which calls are made to ask for what they used."""

import pytest

from llmring_core.gateway.asking import asking
from llmring_core.gateway.forwarding import Call
from tests.builders.forwarding import provider

STREAM = b'{"stream":true}'
CHAT = "/v1/chat/completions"


def call(endpoint: str, asks_for_usage: bool) -> Call:
    asked = provider(asks_for_usage=asks_for_usage)
    return Call(method="POST", endpoint=endpoint, target=endpoint, provider=asked, model=None)


def test_a_chat_stream_is_made_to_tell_its_usage() -> None:
    sent = b'{"stream_options":{"include_usage":true},"stream":true}'
    assert asking(call(CHAT, True), STREAM) == sent


@pytest.mark.parametrize(
    ("endpoint", "asks_for_usage", "body"),
    [
        (CHAT, False, STREAM),
        (CHAT, True, b'{"stream":false}'),
        (CHAT, True, b'{"stream":true,"stream_options":{"include_usage":true}}'),
        (CHAT, True, b"{"),
        (CHAT, True, None),
        ("/v1/responses", True, STREAM),
        ("/v1/files", True, STREAM),
    ],
)
def test_other_bodies_stay(endpoint: str, asks_for_usage: bool, body: bytes | None) -> None:
    assert asking(call(endpoint, asks_for_usage), body) is None
