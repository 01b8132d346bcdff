"""A request keeps every byte but the name of its model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from llmring_core.gateway.dialects import with_model

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
REQUEST = st.dictionaries(TEXT, st.recursive(TEXT | st.integers(0, 9), st.lists), max_size=4)


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b'{"model":"fast"}', b'{"model":"gpt-4o"}'),
        (b' { "model" :\t"fast" , "n":1}\n', b' { "model" :\t"gpt-4o" , "n":1}\n'),
        (b'{"a":{"model":"fast"},"model":"fast"}', b'{"a":{"model":"fast"},"model":"gpt-4o"}'),
        (
            b'{"a":"\\"model\\":\\"fast\\"","model":""}',
            b'{"a":"\\"model\\":\\"fast\\"","model":"gpt-4o"}',
        ),
        (b'{"mod\\u0065l":"f\\u0061st","n":1e2}', b'{"mod\\u0065l":"gpt-4o","n":1e2}'),
    ],
)
def test_every_other_byte_stays(body: bytes, sent: bytes) -> None:
    assert with_model(body, "gpt-4o") == sent


@pytest.mark.parametrize(
    "body", [b"{}", b'{"Model":"fast"}', b'{"model":"a","model":"b"}', b'{"a":{"model":"fast"}}']
)
def test_a_request_that_names_none_or_two_is_none(body: bytes) -> None:
    assert with_model(body, "gpt-4o") is None


@given(REQUEST, TEXT, TEXT, st.sampled_from([0, 1, 4]))
def test_says_what_it_said_of_another_model(
    request: dict[str, object], named: str, meant: str, indent: int
) -> None:
    document = request | {"model": named, "last": [{"model": "]}"}]}
    sent = with_model(json.format(json.encode(document), indent=indent), meant)
    assert sent is not None
    assert json.decode(sent) == document | {"model": meant}
