"""How large a body may be, however it is sent, and of which type."""

import gzip

import pytest
from msgspec import json

from tests.integration.server import RawAnswer, Tenant, call, raw, raw_request

MAX_BODY = 1024 * 1024
TOO_LARGE = "Request Entity Too Large"


def body_of(size: int) -> bytes:
    """A good call of exactly that many bytes, most of them in a member that is ignored."""
    padding = size - len(json.encode(call(ignored="")))
    return json.encode(call(ignored="x" * padding))


def chunked(tenant: Tenant, body: bytes, chunk: int = 64 * 1024) -> bytes:
    head = raw_request(
        "POST",
        "/api/v1/log",
        b"X-API-Key: " + tenant.key.encode(),
        b"Content-Type: application/json",
        b"Transfer-Encoding: chunked",
    )
    pieces = [body[start : start + chunk] for start in range(0, len(body), chunk)]
    return head + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def refused(answer: RawAnswer) -> bool:
    """Whether the answer is our 413, or the connection was closed while we still sent."""
    return answer.status == 0 or (answer.status == 413 and b'"detail"' in answer.body)


@pytest.mark.parametrize("size", [MAX_BODY - 1, MAX_BODY])
async def test_a_body_up_to_the_limit_is_taken(tenant: Tenant, size: int) -> None:
    assert tenant.post(body_of(size)).status_code == 200
    assert (await raw(tenant.server, chunked(tenant, body_of(size)))).status == 200

    assert len(tenant.logs()) == 2


def test_a_body_above_the_limit_is_refused(tenant: Tenant) -> None:
    answer = tenant.post(body_of(MAX_BODY + 1))

    assert answer.status_code == 413
    assert answer.json()["code"] == "request-entity-too-large"
    assert tenant.logs() == []


@pytest.mark.parametrize("size", [MAX_BODY + 1, 20 * MAX_BODY])
async def test_a_body_above_the_limit_is_refused_in_chunks_too(tenant: Tenant, size: int) -> None:
    answer = await raw(tenant.server, chunked(tenant, body_of(size)))

    assert refused(answer)
    assert tenant.logs() == []


async def test_a_length_that_lies_is_refused_before_the_body_is_read(anyone: Tenant) -> None:
    key = b"X-API-Key: " + anyone.key.encode()
    answer = await raw(
        anyone.server, raw_request("POST", "/api/v1/log", key, b"Content-Length: 99999999999")
    )

    assert answer.status == 413 and anyone.logs() == []


@pytest.mark.parametrize("length", [b"-1", b"abc", b"1, 1", b"0x10", b"1e3"])
async def test_a_length_that_is_none_is_refused(anyone: Tenant, length: bytes) -> None:
    key = b"X-API-Key: " + anyone.key.encode()
    request = raw_request("POST", "/api/v1/log", key, b"Content-Length: " + length)

    assert (await raw(anyone.server, request + b"{}")).status == 400
    assert anyone.logs() == []


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonp",
        "json",
        "application/octet-stream",
        ";",
    ],
)
def test_what_a_foreign_form_can_post_is_no_call(tenant: Tenant, media_type: str) -> None:
    answer = tenant.post(call(), Content_Type=media_type)

    assert answer.status_code == 422
    (error,) = answer.json()["detail"]
    assert (error["type"], error["loc"]) == ("model_attributes_type", ["body"])
    assert "Content-Type: application/json" in error["msg"]
    assert tenant.logs() == []


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "identity, gzip"])
def test_a_packed_body_is_not_unpacked(tenant: Tenant, encoding: str) -> None:
    packed = gzip.compress(json.encode(call()))
    answer = tenant.post(packed, Content_Encoding=encoding)

    assert answer.status_code in (415, 422) and tenant.logs() == []
