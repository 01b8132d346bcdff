"""What the log says of a call to be forwarded."""

import logging

import pytest
from httpx import ASGITransport, AsyncClient
from litestar.types import Receive, Scope, Send

from llmring_http.frame import framed
from llmring_http.measures import RequestMeasures
from tests.builders.kernel import P1, ids

FACTS = {"project": P1, "token_id": "t-1", "provider": "openai", "model": "gpt-4o"}


async def answered(facts: dict[str, str], method: str = "POST") -> None:
    """Let a call be answered by whoever knows ``facts`` of it."""

    async def call(scope: Scope, _: Receive, send: Send) -> None:
        scope["path_template"] = "/v1/*"
        scope["state"].update(facts)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    app = framed(call, ids(), 1024, RequestMeasures(), access_log=True)
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://test") as client:
        await client.request(method, "/v1/Zq7canary?Zq7canary")


@pytest.mark.parametrize("method", ["POST", "HEAD"])
async def test_a_call_is_one_line_with_whose_and_what_it_is(
    caplog: pytest.LogCaptureFixture, method: str
) -> None:
    caplog.set_level(logging.INFO, "llmring.access")

    await answered(FACTS, method)

    (said,) = [vars(record) for record in caplog.records if record.name == "llmring.access"]
    expected = FACTS | {"method": method, "route": "/v1/*", "status": 200, "request_id": ids()()}
    assert {name: said[name] for name in expected} == expected
    assert said["duration_ms"] > 0 and "Zq7canary" not in str(said)


async def test_a_name_without_end_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "llmring.access")

    await answered({"model": "m" * 100_000})

    (said,) = [vars(record) for record in caplog.records if record.name == "llmring.access"]
    assert said["model"] == "m" * 255


async def test_what_is_not_known_is_not_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "llmring.access")

    await answered({})

    (said,) = [vars(record) for record in caplog.records if record.name == "llmring.access"]
    assert [said[name] for name in FACTS] == [None] * len(FACTS)
