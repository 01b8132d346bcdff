"""A key that comes twice says two things: refused wherever money is, however it is hidden."""

import pytest

from tests.integration.server import Tenant, call

PLAIN = b'"provider":"openai","model":"gpt-4.1","input_tokens":1000,"output_tokens":200'

TWICE = {
    "a cost": (b"{" + PLAIN + b',"cost":1,"cost":2}', "cost"),
    "with equal values": (b"{" + PLAIN + b',"cost":1,"cost":1}', "cost"),
    "spelt with an escape": (b"{" + PLAIN + b',"cost":1,"cos\\u0074":2}', "cost"),
    "with blanks": (b"{" + PLAIN + b',"cost" : 1 ,\n"cost"\t:2}', "cost"),
    "an unknown member": (b"{" + PLAIN + b',"x":1,"x":2}', "x"),
    "an empty one": (b"{" + PLAIN + b',"":1,"":2}', ""),
    "in metadata": (b"{" + PLAIN + b',"metadata":{"a":1,"a":2}}', "a"),
    "deep in metadata": (b"{" + PLAIN + b',"metadata":{"a":[{"b":{"c":1,"c":2}}]}}', "c"),
    "beside texts with colons": (b"{" + PLAIN + b',"origin":"a:b:c","cost":1,"cost":2}', "cost"),
    "hidden by a colon that is missing nowhere": (
        b"{" + PLAIN + b',"origin":"\\u003a","cost":1,"cost":2}',
        "cost",
    ),
    "in an ignored member": (b"{" + PLAIN + b',"messages":[{"role":"a","role":"b"}]}', "role"),
}


@pytest.mark.parametrize("name", TWICE)
def test_a_key_that_comes_twice_is_refused(tenant: Tenant, name: str) -> None:
    body, key = TWICE[name]
    answer = tenant.post(body)
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["detail"]
    assert (error["loc"], error["msg"]) == (["body", key], "must be given once")
    assert tenant.logs() == []


@pytest.mark.parametrize("path", ["/api/v1/log/batch", "/api/v1/logs/import"])
def test_one_in_a_batch_refuses_the_batch(tenant: Tenant, path: str) -> None:
    body = b'{"logs":[{' + PLAIN + b"},{" + PLAIN + b',"cost":1,"cost":2}]}'
    headers = tenant.headers | {"Content-Type": "application/json"}
    answer = tenant.server.http.post(path, content=body, headers=headers)
    assert answer.status_code == 422, answer.text
    assert tenant.logs() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"origin": "a:b", "metadata": {"a": {"b": 1}, "b": {"b": ":"}}},
        {"origin": '":', "alias": '\\":', "metadata": {'"': ":", '":': 1}},
        {"metadata": {"x": [{"x": 1}, {"x": 1}]}},
    ],
)
def test_the_same_key_in_different_objects_is_fine(tenant: Tenant, fields: dict[str, str]) -> None:
    assert tenant.post(call(**fields)).status_code == 200
