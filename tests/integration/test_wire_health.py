"""Root, health and what holds for every path: errors, slashes, HEAD, ids, security headers."""

import re

import pytest

from tests.integration.server import RunningServer, Tenant, raw, raw_request

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
PATHS = [
    "/",
    "/health",
    "/registry",
    "/registry.json",
    "/registry/changelog",
    "/api/v1/logs",
    "/api/v1/stats",
]


def test_the_root_names_the_server(anyone: Tenant) -> None:
    body = anyone.get("/").json()

    assert {
        "name": "LLMRing Server",
        "docs": "/docs",
        "registry": "/registry",
    }.items() <= body.items()
    assert re.fullmatch(r"\d+\.\d+\.\d+", body["version"])


def test_health_tells_about_redis_and_the_registry(anyone: Tenant) -> None:
    body = anyone.get("/health").json()

    assert body["redis"] == "disabled"
    assert body["registry"].keys() == {
        "version",
        "source",
        "status",
        "confirmed_at",
        "error",
        "refusals",
        "last_refusal",
    }
    assert body["registry"]["status"] == "stale"  # it was never asked


def test_health_tells_about_the_database(server: RunningServer) -> None:
    answer = server.http.get("/health")

    assert answer.status_code == 200
    assert {"status": "healthy", "database": "connected"}.items() <= answer.json().items()


@pytest.mark.parametrize("path", ["/health/live", "/live", "/healthz"])
def test_liveness_asks_nobody(anyone: Tenant, path: str) -> None:
    answer = anyone.get(path)

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


@pytest.mark.parametrize("path", ["/health/ready", "/ready", "/readyz"])
def test_readiness_asks_the_database(server: RunningServer, path: str) -> None:
    answer = server.http.get(path)

    assert answer.status_code == 200
    assert {"status": "healthy", "database": "connected"}.items() <= answer.json().items()


@pytest.mark.parametrize("path", ["/nope", "/api/v1/nope", "/api/v2/log", "/docs/assets/../x"])
def test_an_unknown_path_is_not_found(anyone: Tenant, path: str) -> None:
    answer = anyone.get(path)

    assert (answer.status_code, answer.json()["detail"]) == (404, "Not Found")
    assert answer.json()["code"] == "not-found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/health", {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/registry", {"GET", "HEAD", "OPTIONS"}),
        ("GET", "/api/v1/log", {"POST", "OPTIONS"}),
        ("HEAD", "/api/v1/log", {"POST", "OPTIONS"}),
        ("PUT", "/api/v1/logs", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    anyone: Tenant, method: str, path: str, allowed: set[str]
) -> None:
    answer = anyone.server.http.request(method, path, headers=anyone.headers)

    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == allowed
    if method != "HEAD":
        assert answer.json()["detail"] == "Method Not Allowed"


@pytest.mark.parametrize("path", PATHS)
def test_both_slash_forms_answer_directly(anyone: Tenant, path: str) -> None:
    forms = [path, path.rstrip("/") + "/", "/" + path]
    answers = [anyone.get(anyone.server.url + form) for form in forms]

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1


def test_a_call_can_be_logged_with_a_slash_at_the_end(anyone: Tenant) -> None:
    answer = anyone.server.http.post(
        "/api/v1/log/",
        json={"provider": "p", "model": "m", "input_tokens": 1, "output_tokens": 1},
        headers=anyone.headers,
    )

    assert answer.status_code == 200 and len(anyone.logs()) == 1


@pytest.mark.parametrize("path", [*PATHS, "/docs", "/openapi.json", "/nope"])
async def test_head_is_answered_as_get_without_the_body(anyone: Tenant, path: str) -> None:
    get = anyone.get(path)
    head = await raw(anyone.server, raw_request("HEAD", path, b"X-API-Key: " + anyone.key.encode()))

    assert (head.status, head.body) == (get.status_code, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.headers["content-length"] == str(len(get.content))


@pytest.mark.parametrize("given", ["a", "req-1.2_3", "A" * 64])
def test_a_request_keeps_the_id_it_came_with(tenant: Tenant, given: str) -> None:
    answer = tenant.get("/nope", X_Request_ID=given)
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == given

    tenant.post(
        {"provider": "p", "model": "m", "input_tokens": 1, "output_tokens": 1}, X_Request_ID=given
    )
    assert tenant.logs()[0]["request_id"] == given


@pytest.mark.parametrize("given", ["", "A" * 65, "a b", "a;b", "a\tb", "é", "<script>", "a" * 5000])
def test_a_request_whose_id_is_no_id_gets_one(anyone: Tenant, given: str) -> None:
    answer = anyone.server.http.get("/nope", headers={"X-Request-ID": given.encode()})

    assert UUID7.fullmatch(answer.headers["x-request-id"])
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


def test_every_request_gets_an_id_of_its_own(anyone: Tenant) -> None:
    assert len({anyone.get("/health").headers["x-request-id"] for _ in range(10)}) == 10


@pytest.mark.parametrize("path", ["/", "/nope", "/docs", "/api/v1/logs", "/api/v1/stats?tz=x"])
def test_every_answer_has_the_security_headers(anyone: Tenant, path: str) -> None:
    headers = anyone.get(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_an_error_is_a_problem_document(anyone: Tenant) -> None:
    answer = anyone.get("/nope")

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:llmring:not-found",
        "title": "Not Found",
        "status": 404,
        "detail": "Not Found",
        "code": "not-found",
        "request_id": answer.headers["x-request-id"],
    }
