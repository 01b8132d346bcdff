"""Who is calling: every header historic clients send, and every way to get them wrong."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import json

from tests.integration.server import RunningServer, Tenant, call, raw, raw_request, running

MISSING = "Authentication required: provide X-API-Key or (X-User-ID + X-Project-ID)"
USER, PROJECT = "20000000-0000-0000-0000-000000000001", "10000000-0000-0000-0000-000000000001"
LOGS = "/api/v1/logs"

Headers = list[tuple[str, str | bytes]]


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that believes the identity headers an authenticating proxy sets."""
    folder = tmp_path_factory.mktemp("behind-proxy")
    with running(folder, trust_identity_headers="true") as server:
        yield server


async def ask(server: RunningServer, headers: Headers) -> tuple[int, object]:
    """The status, and the list of calls or the sentence that explains why there is none."""
    lines = [
        name.encode() + b": " + (value.encode() if isinstance(value, str) else value)
        for name, value in headers
    ]
    answer = await raw(server, raw_request("GET", LOGS, *lines))
    body = json.decode(answer.body)
    if answer.status == 401:
        assert answer.headers["www-authenticate"] == "bearer"
    return answer.status, body if answer.status == 200 else body["detail"]


@pytest.mark.parametrize(
    "spelling",
    [
        [("X-API-Key", "{}")],
        [("x-api-key", "{}")],
        [("X-Project-Key", "{}")],
        [("Authorization", "Bearer {}")],
        [("Authorization", "bearer  {}")],
        [("Authorization", "Bearer {}"), ("X-API-Key", "{}")],  # as the published client does
        [("X-API-Key", "{}"), ("X-Project-Key", "{}"), ("Authorization", "Bearer {}")],
        [("X-API-Key", "{}"), ("Authorization", "Basic dTpw")],  # meant for a proxy, not for us
        [("X-API-Key", "{}"), ("X-Project-Key", "")],
        [("X-API-Key", "{}"), ("X-User-ID", USER), ("X-Project-ID", PROJECT)],
        [("X-API-Key", "  {} \t ")],
    ],
)
async def test_every_header_that_carries_a_key_names_the_same_project(
    tenant: Tenant, spelling: list[tuple[str, str]]
) -> None:
    tenant.log()
    headers: Headers = [(name, value.format(tenant.key)) for name, value in spelling]

    assert await ask(tenant.server, headers) == (200, tenant.logs())


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("X-API-Key", "")],
        [("X-API-Key", "   ")],
        [("X-Project-Key", "")],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer ")],
        [("Authorization", "Basic dTpw")],
        [("Authorization", "llmr_pk_1")],
        [("X_API_Key", "key")],
        [("Cookie", "X-API-Key=key")],
        [("X-User-ID", USER), ("X-Project-ID", PROJECT)],
        [("X-Forwarded-User", "me"), ("Remote-User", "me")],
    ],
)
async def test_who_names_no_key_is_nobody(server: RunningServer, headers: Headers) -> None:
    assert await ask(server, headers) == (401, MISSING)


@pytest.mark.parametrize(
    "method_and_path", ["POST /api/v1/log", f"GET {LOGS}", "GET /api/v1/stats"]
)
def test_every_usage_route_wants_a_key_before_it_looks_at_anything(
    server: RunningServer, method_and_path: str
) -> None:
    method, path = method_and_path.split()
    query = "?limit=x&start_date=x&api_key=k&X-API-Key=k"
    answer = server.http.request(method, path + query, content=b'{"provider":')

    assert (answer.status_code, answer.json()["detail"]) == (401, MISSING)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ([("X-API-Key", "a b")], "X-API-Key must not contain whitespace"),
        ([("X-API-Key", "a\tb")], "X-API-Key must not contain whitespace"),
        ([("X-API-Key", "a\u00a0b".encode("latin-1"))], "X-API-Key must not contain whitespace"),
        ([("X-Project-Key", "a b")], "X-Project-Key must not contain whitespace"),
        ([("Authorization", "Bearer a b")], "Authorization must not contain whitespace"),
        ([("X-API-Key", "k" * 256)], "X-API-Key too long"),
        ([("X-Project-Key", "k" * 8192)], "X-Project-Key too long"),
        ([("X-API-Key", "schlüssel".encode())], "X-API-Key must be visible ASCII characters"),
        ([("X-API-Key", "k\u200b".encode())], "X-API-Key must be visible ASCII characters"),
        ([("X-API-Key", "ключ".encode())], "X-API-Key must be visible ASCII characters"),
        ([("X-API-Key", b"k\xff")], "X-API-Key must be visible ASCII characters"),
        ([("X-API-Key", "a"), ("X-API-Key", "b")], "X-API-Key must be sent once"),
        ([("X-API-Key", "a"), ("X-API-Key", "a")], "X-API-Key must be sent once"),
        ([("X-API-Key", ""), ("X-API-Key", "a")], "X-API-Key must be sent once"),
        (
            [("Authorization", "Bearer a"), ("Authorization", "Bearer a")],
            "Authorization must be sent once",
        ),
    ],
)
async def test_a_key_that_can_be_none_is_refused(
    server: RunningServer, headers: Headers, said: str
) -> None:
    assert await ask(server, headers) == (400, said)


@pytest.mark.parametrize(
    "headers",
    [
        [("X-API-Key", "a"), ("X-Project-Key", "b")],
        [("X-API-Key", "a"), ("Authorization", "Bearer b")],
        [("X-Project-Key", "a"), ("Authorization", "Bearer A")],
    ],
)
async def test_headers_that_disagree_are_refused(server: RunningServer, headers: Headers) -> None:
    said = "X-API-Key, X-Project-Key and Authorization carry different keys; send one"

    assert await ask(server, headers) == (400, said)


@pytest.mark.parametrize("key", [b"k\x00y", b"k\x01y", b"k\x7fy", b"k\ry", b"k\ny"])
async def test_control_characters_are_refused(server: RunningServer, key: bytes) -> None:
    answer = await raw(server, raw_request("GET", LOGS, b"X-API-Key: " + key))

    assert answer.status == 400


@pytest.mark.parametrize(
    "key", ["k", "k" * 255, "llmr_pk_" + "0" * 32, "' OR '1'='1", "%", "*", "a,b"]
)
def test_in_open_mode_any_visible_text_is_a_project_of_its_own(
    server: RunningServer, key: str
) -> None:
    unique = (secrets.token_hex(16) + key.replace(" ", ""))[-255:]
    one, other = Tenant(server, unique), Tenant(server, unique[:-1] + "~")
    one.log()

    assert (len(one.logs()), other.logs()) == (1, [])
    assert Tenant(server, unique.swapcase()).logs() == []


@pytest.mark.parametrize("user", [USER, "nobody"])
async def test_identity_headers_mean_nothing_unless_told_so(
    server: RunningServer, user: str
) -> None:
    # The historic server believes them from anybody; promises, section 9: only behind a proxy.
    assert await ask(server, [("X-User-ID", user), ("X-Project-ID", PROJECT)]) == (401, MISSING)


def test_behind_a_proxy_identity_headers_name_the_project(behind_proxy: RunningServer) -> None:
    def identity(user: str, project: str) -> dict[str, str]:
        return {"X-User-ID": user, "X-Project-ID": project}

    body = {"provider": "p", "model": "m", "input_tokens": 1, "output_tokens": 1}
    http = behind_proxy.http
    logged = http.post("/api/v1/log", json=body, headers=identity(USER, PROJECT))
    colleague = http.get(LOGS, headers=identity(PROJECT, PROJECT.upper()))
    elsewhere = http.get(LOGS, headers=identity(USER, USER))

    assert logged.status_code == 200
    assert (len(colleague.json()), elsewhere.json()) == (1, [])


@pytest.mark.parametrize(
    ("user", "project", "expected"),
    [
        (USER, None, (401, MISSING)),
        (None, PROJECT, (401, MISSING)),
        ("", PROJECT, (401, "X-User-ID and X-Project-ID cannot be empty")),
        (USER, " ", (401, "X-User-ID and X-Project-ID cannot be empty")),
        ("x", "y", (400, "Invalid UUID format in authentication headers")),
        (USER, f"urn:uuid:{PROJECT}", (400, "Invalid UUID format in authentication headers")),
        (USER, PROJECT + "0", (400, "Invalid UUID format in authentication headers")),
    ],
)
async def test_behind_a_proxy_identity_headers_must_be_whole(
    behind_proxy: RunningServer, user: str | None, project: str | None, expected: tuple[int, str]
) -> None:
    given = [("X-User-ID", user), ("X-Project-ID", project)]

    assert (
        await ask(behind_proxy, [(name, value) for name, value in given if value is not None])
        == expected
    )


async def test_behind_a_proxy_an_identity_sent_twice_is_refused(
    behind_proxy: RunningServer,
) -> None:
    other = PROJECT.replace("1", "3")
    headers = [("X-User-ID", USER), ("X-Project-ID", PROJECT), ("X-Project-ID", other)]

    assert (await ask(behind_proxy, headers))[0] == 400


def test_a_key_wins_over_an_identity(behind_proxy: RunningServer) -> None:
    tenant = behind_proxy.tenant()
    tenant.log()
    headers = [("X-API-Key", tenant.key), ("X-User-ID", USER), ("X-Project-ID", PROJECT)]

    assert len(behind_proxy.http.get(LOGS, headers=headers).json()) == 1


def test_a_key_is_in_no_answer_no_file_and_no_line_the_server_writes(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        tenant = server.tenant()
        answers = [
            tenant.post(call()),
            tenant.post({"provider": 1}),
            tenant.get("/nope"),
            tenant.get("/api/v1/stats?tz=nope"),
            tenant.get(LOGS),
            tenant.get(LOGS, X_Project_Key="other"),
            tenant.get(LOGS, X_API_Key=f"{tenant.key} b"),
            tenant.get(LOGS, X_API_Key=tenant.key * 9),
        ]
    written = [path.read_bytes().decode("latin-1") for path in tmp_path.iterdir()]
    answered = [f"{answer.headers}{answer.text}" for answer in answers]

    statuses = [answer.status_code for answer in answers]
    assert statuses == [200, 422, 404, 422, 200, 400, 400, 400]
    assert not any(tenant.key in text for text in [*written, *answered])
