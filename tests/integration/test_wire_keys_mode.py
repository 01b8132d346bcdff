"""Keys mode: only keys made with the command line, and what becomes of them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Thread

import pytest
from msgspec import json

from tests.integration.server import RunningServer, Tenant, run, running
from tests.services.postgres import new_database
from tests.services.search import skip_when_unavailable

REVOKED_WITHIN_S = 1.0


class Office:
    """A server in keys mode, and the command line next to it on the same database."""

    def __init__(self, server: RunningServer, **settings: str) -> None:
        self.server = server
        self._settings = settings

    def keys(self, *words: str) -> str:
        return run(self.server.folder, "keys", *words, **self._settings)

    def create(self, project: str) -> tuple[str, Tenant]:
        """The id of a new key, and its bearer."""
        made = json.decode(self.keys("create", "--project", project, "--json"))
        return made["id"], Tenant(self.server, made["key"])


@contextmanager
def office(folder: Path, **settings: str) -> Iterator[Office]:
    with running(folder, auth="keys", **settings) as server:
        yield Office(server, auth="keys", **settings)


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("keys-on-sqlite")) as opened:
        yield opened


@pytest.fixture(scope="module")
def on_postgres(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("keys-on-postgres")
    with (
        skip_when_unavailable(),
        new_database(postgres_server) as url,
        office(folder, database_url=url) as opened,
    ):
        yield opened


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def keys_mode(request: pytest.FixtureRequest) -> Office:
    found: Office = request.getfixturevalue(f"on_{request.param}")
    return found


@pytest.fixture(scope="module")
def bearer(on_sqlite: Office) -> Tenant:
    """A key of the project "main"."""
    return on_sqlite.create("main")[1]


def status(bearer: Tenant) -> int:
    answer = bearer.get("/api/v1/logs")
    if answer.status_code == 401:
        assert answer.json()["detail"] == "Invalid API key"
        assert answer.headers["www-authenticate"] == "Bearer"
    return answer.status_code


class Asker(Thread):
    """Uses a key again and again, on an open connection, until it is refused."""

    def __init__(self, bearer: Tenant) -> None:
        super().__init__(daemon=True)
        self._bearer = bearer
        self.last_taken = 0.0

    def run(self) -> None:
        asked = time.monotonic()
        while status(self._bearer) == 200:
            self.last_taken, asked = asked, time.monotonic()


@contextmanager
def refused_within_a_second(bearer: Tenant) -> Iterator[None]:
    """The key works up to the block's end, and for a second afterwards at most."""
    asker = Asker(bearer)
    asker.start()
    yield
    closed = time.monotonic()
    asker.join(10)
    assert not asker.is_alive() and asker.last_taken - closed <= REVOKED_WITHIN_S


def test_a_made_key_opens_its_project_at_once(bearer: Tenant) -> None:
    before = len(bearer.logs())
    bearer.log()

    assert len(bearer.logs()) == before + 1


def test_any_other_key_is_refused_and_leaves_no_trace(on_sqlite: Office, bearer: Tenant) -> None:
    before = on_sqlite.keys("list")
    key = bearer.key
    others = [key[:-1], key + "0", key.swapcase(), "llmr_pk_" + "0" * 32, "%", "'OR'1'='1"]

    for other in others:
        assert status(Tenant(on_sqlite.server, other)) == 401
    assert on_sqlite.keys("list") == before


def test_the_stored_digest_is_no_key(on_sqlite: Office, bearer: Tenant) -> None:
    database = (on_sqlite.server.folder / "llmring.db").read_bytes()
    wal = (on_sqlite.server.folder / "llmring.db-wal").read_bytes()

    digest = sha256(bearer.key.encode()).hexdigest()
    assert digest.encode() in database + wal and bearer.key.encode() not in database + wal
    assert status(Tenant(on_sqlite.server, digest)) == 401


def test_identity_headers_open_nothing(on_sqlite: Office) -> None:
    uuid = "10000000-0000-0000-0000-000000000001"
    headers = {"X-User-ID": uuid, "X-Project-ID": uuid}

    assert on_sqlite.server.http.get("/api/v1/logs", headers=headers).status_code == 401


def test_a_revoked_key_is_refused_within_a_second(keys_mode: Office) -> None:
    id, bearer = keys_mode.create("revoked")
    with refused_within_a_second(bearer):
        keys_mode.keys("revoke", id)

    assert bearer.post({}).status_code == 401


def test_rotation_keeps_the_history(keys_mode: Office) -> None:
    id, old = keys_mode.create("rotated")
    logged = old.log()
    with refused_within_a_second(old):
        made = json.decode(keys_mode.keys("rotate", id, "--json"))
    new = Tenant(keys_mode.server, made["key"])

    assert new.logs()[0]["id"] == logged["log_id"]
    assert new.stats()["summary"]["total_requests"] == 1


def test_two_keys_of_a_project_see_the_same_and_those_of_others_do_not(
    on_sqlite: Office, bearer: Tenant
) -> None:
    _, one = on_sqlite.create("shared")
    _, two = on_sqlite.create("shared")
    logged = one.log()

    assert [row["id"] for row in two.logs()] == [logged["log_id"]]
    assert logged["log_id"] not in {row["id"] for row in bearer.logs()}


def test_no_key_is_shown_twice(on_sqlite: Office, bearer: Tenant) -> None:
    bearer.post({"provider": "p"})
    listed = on_sqlite.keys("list", "--json")

    assert bearer.key[-4:] in listed and bearer.key not in listed
    assert bearer.key not in on_sqlite.server.said
