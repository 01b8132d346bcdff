"""``/metrics`` and the log, as whoever runs the server sees them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import json
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.server import RunningServer, Tenant, call, raw, raw_request, running

TOKEN = "metrics-Zq7canary-token"  # noqa: S105
MAX_SERIES = 2_000


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that logs every request, and shows its metrics to whoever has a token."""
    folder = tmp_path_factory.mktemp("observed")
    with running(folder, access_log="true", metrics_token=TOKEN, log_format="json") as server:
        yield server


def metrics(server: RunningServer, **headers: str) -> dict[str, Metric]:
    answer = server.http.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def authorized(server: RunningServer) -> dict[str, Metric]:
    return metrics(server, Authorization=f"Bearer {TOKEN}")


def value(found: dict[str, Metric], name: str, **labels: str) -> float:
    """Return a sample, 0 when there is none."""
    family = found[name.removesuffix("_total").removesuffix("_count")]
    return sum(s.value for s in family.samples if s.name == name and s.labels == labels)


def test_calls_are_counted_by_what_they_were(tenant: Tenant) -> None:
    before = metrics(tenant.server)
    tenant.log()
    tenant.log(model="nobody-knows-it")
    tenant.log(input_tokens=0, output_tokens=0)
    assert tenant.post(b"{").status_code == 422
    after = metrics(tenant.server)

    def more(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    route = {"method": "POST", "route": "/api/v1/log"}
    assert more("llmring_http_requests_total", **route, status="200") == 3
    assert more("llmring_http_requests_total", **route, status="422") == 1
    assert more("llmring_http_request_duration_seconds_count", route="/api/v1/log") == 4
    assert more("llmring_calls_logged_total") == 3
    assert more("llmring_calls_unpriced_total") == 1
    assert more("llmring_calls_tokenless_total") == 1
    assert more("llmring_commit_calls_count") == 3
    assert value(after, "llmring_calls_waiting") == 0
    assert value(after, "llmring_registry_age_seconds") > 0
    assert value(after, "process_resident_memory_bytes") > 0


async def test_callers_invent_no_labels(observed: RunningServer) -> None:
    for number in range(100):
        path = f"/canary/{number}?canary={number}"
        await raw(observed, raw_request(("PROPFIND", "SUBSCRIBE")[number % 2], path))
        observed.http.get(f"/registry/canary{number}/models.json")
        observed.tenant().post(call(model=f"canary{number}", origin=f"canary{number}"))

    text = observed.http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text

    assert "canary" not in text.lower()
    assert sum(not line.startswith("#") for line in text.splitlines()) < MAX_SERIES
    unknown = {"method": "unknown", "route": "unknown", "status": "404"}
    assert value(authorized(observed), "llmring_http_requests_total", **unknown) == 100


@pytest.mark.parametrize("sent", [None, "Bearer nope", f"Basic {TOKEN}", TOKEN])
def test_without_the_token_there_are_none(observed: RunningServer, sent: str | None) -> None:
    headers = {} if sent is None else {"Authorization": sent}

    answer = observed.http.get("/metrics", headers=headers)

    assert answer.status_code == 401 and answer.json()["code"] == "metrics.wrong-token"
    assert "llmring_" not in answer.text


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"])
def test_nobody_gets_them_through_a_proxy(anyone: Tenant, name: str) -> None:
    assert anyone.server.http.get("/metrics", headers={name: "192.0.2.1"}).status_code == 404


def test_a_request_is_one_line_without_what_the_caller_wrote(observed: RunningServer) -> None:
    tenant = observed.tenant()
    named = {"X-Request-ID": "mine-1"}
    tenant.post(call(), **named)
    tenant.get("/registry/Zq7canary/models.json?key=Zq7canary", X_Request_ID="mine-2")
    tenant.get("/Zq7canary%0d%0a{forged}", X_Request_ID="mine-3")
    tenant.get("/health/live")  # answered in the same thread: so the lines before are written

    events = [json.decode(line) for line in observed.said.splitlines() if line.startswith("{")]
    first, second, third = (
        next(event for event in events if event.get("request_id") == f"mine-{number}")
        for number in (1, 2, 3)
    )
    assert first["logger"] == "llmring.access" and first["method"] == "POST"
    assert first["route"] == "/api/v1/log" and first["status"] == 200
    assert first["duration_ms"] > 0 and len(first["project"]) == 36
    assert second["route"] == "/registry/{provider}/models.json" and "project" not in second
    assert third["route"] == "unknown" and third["status"] == 404
    assert "canary" not in observed.said and tenant.key not in observed.said


def test_a_database_that_is_lost_is_counted_and_gives_nothing_away(tmp_path: Path) -> None:
    with running(tmp_path, log_format="json", log_level="debug") as server:
        tenant = server.tenant()
        tenant.log()
        (tmp_path / "llmring.db").rename(tmp_path / "away.db")
        assert tenant.post(call(origin="Zq7canary")).status_code == 503
        lost = metrics(server)
        (tmp_path / "away.db").rename(tmp_path / "llmring.db")

        assert value(lost, "llmring_database_failures_total") > 0
        assert "Zq7canary" not in server.said and tenant.key not in server.said
