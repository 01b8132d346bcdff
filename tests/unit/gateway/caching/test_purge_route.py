"""Purging over HTTP, in the form that clients of such gateways know."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.testing import TestClient

from llmring_adapters.gateway.cache_memory import MemoryResponseCache
from llmring_adapters.transactions.memory import memory_transactions
from llmring_core.errors import LLMRingError
from llmring_core.gateway.auditing import RecordAlone
from llmring_core.gateway.caching import PurgeCache, ResponseCache
from llmring_core.gateway.manage_cache import PurgeAnswers
from llmring_http.management.cache_routes import CacheController
from llmring_http.problems import domain_problem, http_problem
from tests.builders.auditing import ORIGIN, recording
from tests.builders.caching import a_key, an_answer
from tests.builders.kernel import P1, P2, FakeClock

NAMED = {"method": "GET", "url": "https://api.openai.com/v1/models"}


def app(cache: ResponseCache | None) -> Litestar:
    def provide() -> Any:
        record = RecordAlone(memory_transactions(), recording(FakeClock()))
        return PurgeAnswers(PurgeCache(cache), record)

    return Litestar(
        [CacheController],
        dependencies={
            "purge_answers": Provide(provide, sync_to_thread=False),
            "origin": Provide(lambda: ORIGIN, sync_to_thread=False),
        },
        exception_handlers={LLMRingError: domain_problem, HTTPException: http_problem},
        logging_config=None,
    )


@pytest.fixture
def client() -> Iterator[TestClient[Litestar]]:
    cache = MemoryResponseCache(FakeClock())
    for key in (a_key(), a_key(P2), a_key(account="k2"), a_key(path="/v1/other")):
        asyncio.run(cache.put(key, an_answer()))
    with TestClient(app(cache)) as test_client:
        yield test_client


@pytest.mark.parametrize(
    ("sent", "deleted"),
    [
        (NAMED, True),
        (NAMED | {"prefix": ""}, True),
        (NAMED | {"prefix": None, "unknown": 1}, True),
        (NAMED | {"method": "POST"}, False),
        (NAMED | {"prefix": "/"}, 4),
        (NAMED | {"prefix": "/v1/models"}, 3),
        (NAMED | {"prefix": a_key().digest}, 1),
        (NAMED | {"prefix": "/v2"}, 0),
        (NAMED | {"prefix": "/", "project_id": P1}, 3),
        (NAMED | {"prefix": "/", "projectId": P2}, 1),
        (NAMED | {"prefix": "/", "project_id": ""}, 0),
    ],
)
def test_says_how_many_or_whether(
    client: TestClient[Litestar], sent: dict[str, Any], deleted: bool | int
) -> None:
    answer = client.post("/cache/purge", json=sent)
    assert answer.status_code == 200
    assert answer.json() == {"deleted": deleted}
    assert type(answer.json()["deleted"]) is type(deleted)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({}, "gateway.nothing-named"),
        ({"prefix": "/"}, "gateway.nothing-named"),
        (NAMED | {"url": "nowhere"}, "gateway.bad-purge-url"),
        (NAMED | {"prefix": "*"}, "gateway.bad-purge-prefix"),
        (NAMED | {"project_id": P1, "projectId": P2}, "invalid-field"),
        (NAMED | {"url": 7}, "unprocessable"),
        ([], "unprocessable"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_forgets_nothing(
    client: TestClient[Litestar], sent: Any, code: str
) -> None:
    answer = client.post("/cache/purge", json=sent)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    everything = client.post("/cache/purge", json=NAMED | {"prefix": "/"})
    assert everything.json() == {"deleted": 4}


def test_without_a_cache_says_so() -> None:
    with TestClient(app(None)) as client:
        answer = client.post("/cache/purge", json=NAMED)
    assert answer.json()["code"] == "gateway.caching-disabled"
    assert "caching is disabled" in str(answer.json()["detail"])
