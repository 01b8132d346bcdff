"""Which web pages may read our answers: those of configured origins, and no others."""

from pathlib import Path

import httpx
import pytest

from tests.integration.server import RunningServer, Tenant, running

OURS = "http://localhost:5173"
OTHERS = ["http://evil.example", "null", f"{OURS}.evil.example", "https://localhost:5173", "*"]
KEYS = "X-API-Key, X-Project-Key, Authorization, X-User-ID, X-Project-ID"
HEADERS = f"{KEYS}, Content-Type, If-None-Match, Idempotency-Key, X-Request-ID"
READABLE = {
    "Age",
    "ETag",
    "Idempotency-Replayed",
    "X-Next-Cursor",
    "X-Registry-Status",
    "X-Request-ID",
}


def preflight(
    server: RunningServer, origin: str, method: str = "POST", headers: str = HEADERS
) -> httpx.Response:
    """What a browser asks, without credentials, before it sends a page's request."""
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return server.http.options("/api/v1/log", headers={"Origin": origin} | asked)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_a_page_of_ours_may_send_what_clients_send(anyone: Tenant, method: str) -> None:
    answer = preflight(anyone.server, OURS, method)

    assert answer.is_success
    assert answer.headers["access-control-allow-origin"] == OURS
    assert method in answer.headers["access-control-allow-methods"].split(", ")
    allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
    assert set(HEADERS.lower().split(", ")) <= set(allowed)
    assert answer.headers["access-control-max-age"] == "600"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", OTHERS)
def test_a_page_of_others_may_not(anyone: Tenant, origin: str) -> None:
    asked = preflight(anyone.server, origin)
    read = anyone.get("/api/v1/logs", Origin=origin)

    assert (asked.status_code, asked.text.lower()) == (400, "disallowed cors origin")
    assert read.status_code == 200  # the browser keeps it from the page
    for answer in (asked, read):
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("method", "headers", "said"),
    [("TRACE", "", "disallowed cors method"), ("POST", "X-Evil", "disallowed cors headers")],
)
def test_what_clients_do_not_send_is_refused(
    anyone: Tenant, method: str, headers: str, said: str
) -> None:
    answer = preflight(anyone.server, OURS, method, headers)

    assert (answer.status_code, answer.text.lower()) == (400, said)


@pytest.mark.parametrize("path", ["/registry", "/api/v1/logs", "/nope", "/api/v1/logs?limit=0"])
def test_a_page_of_ours_reads_answers_and_errors(anyone: Tenant, path: str) -> None:
    headers = anyone.get(path, Origin=OURS).headers

    assert headers["access-control-allow-origin"] == OURS
    assert set(headers["access-control-expose-headers"].split(", ")) == READABLE
    assert "access-control-allow-credentials" not in headers


@pytest.mark.parametrize("origin", [None, OURS, "http://evil.example"])
@pytest.mark.parametrize("path", ["/registry", "/docs/assets/swagger-ui.css", "/health"])
def test_no_cache_gives_one_origins_answer_to_another(
    anyone: Tenant, path: str, origin: str | None
) -> None:
    headers = {} if origin is None else {"Origin": origin}
    answer = anyone.get(path, **headers)

    assert set(answer.headers["vary"].split(", ")) == {"Accept-Encoding", "Origin"}


def test_the_origins_are_the_configured_ones(tmp_path: Path) -> None:
    with running(tmp_path, cors_origins="https://app.example.com, https://b.example") as server:
        allowed = [
            preflight(server, origin).is_success
            for origin in ("https://app.example.com", "https://b.example", OURS)
        ]
        lookalike = preflight(server, "https://appXexample.com")

    assert allowed == [True, True, False] and not lookalike.is_success
