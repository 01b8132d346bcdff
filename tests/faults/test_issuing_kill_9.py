"""``kill -9`` while receipts are issued: what was acknowledged is there, numbered and in the log.

``LLMRING_FAULT_ROUNDS=50`` runs that many rounds on each database.
"""

import json
import os
import random
import secrets
import threading
import time
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from llmring_core.transparency import (
    RECEIPT,
    Checkpoint,
    check_consistency,
    check_inclusion,
    checkpoint_in,
    commitment_to,
    note_of,
    proof_in,
)
from tests.integration.server import RunningServer, Tenant, call
from tests.services.postgres import new_database, private_postgres
from tests.services.search import skip_when_unavailable

ROUNDS = int(os.environ.get("LLMRING_FAULT_ROUNDS", "2"))
CLIENTS = 6
PROVED = 10  # of each round's
MOMENTS_S = (0.1, 1.0)  # after the load began
PATH = "/api/v1/receipts/"


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A database that survives whoever uses it, and how many servers use it at once."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'llmring.db'}", 1
        return
    with ExitStack() as stack:
        stack.enter_context(skip_when_unavailable())
        postgres = stack.enter_context(private_postgres(durable=True))
        yield stack.enter_context(new_database(postgres.url)), 2


def started(folder: Path, database_url: str) -> RunningServer:
    server = RunningServer(folder, database_url=database_url)
    server.launch()
    server.wait_until_ready()
    return server


def issue(server: RunningServer, tenant: Tenant, key: str) -> bytes | None:
    """Ask ``server`` for a receipt; None: there was no answer, or not this time."""
    headers = dict(tenant.headers) | {"Idempotency-Key": key}
    try:
        answer = server.http.post(PATH, json=call(), headers=headers)
    except httpx.TransportError:
        return None
    assert answer.status_code in (201, 409, 503), answer.text
    return answer.content if answer.status_code == 201 else None


class Clients:
    """Ask all servers for receipts until told to stop, and remember what was answered."""

    def __init__(self, servers: list[RunningServer], tenant: Tenant) -> None:
        self.answers: dict[str, bytes | None] = {}
        self._servers, self._tenant = servers, tenant
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._client, args=(servers[number % len(servers)],))
            for number in range(CLIENTS)
        ]

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _client(self, server: RunningServer) -> None:
        while not self._stop.is_set():
            key = secrets.token_hex(8)
            self.answers[key] = None
            self.answers[key] = issue(server, self._tenant, key)
            if self.answers[key] is None:
                time.sleep(0.05)


def stored(server: RunningServer, tenant: Tenant) -> dict[str, int]:
    """The number of every receipt of the tenant, by id."""
    found: dict[str, int] = {}
    while True:
        params = {"limit": 1000, "offset": len(found)}
        page = server.http.get(PATH, params=params, headers=tenant.headers).json()
        found |= {one["id"]: one["seq"] for one in page["receipts"]}
        if not page["receipts"]:
            return found


def checkpoint_of(server: RunningServer, size: int) -> Checkpoint:
    """The log's checkpoint once it has ``size`` entries, which is never long."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        answer = server.http.get("/log/checkpoint")
        if answer.status_code == 200:
            found = checkpoint_in(note_of(answer.text).text)
            if found.size >= size:
                assert found.size == size
                return found
        time.sleep(0.05)
    raise AssertionError(f"the log never had {size} entries")


def check_continued(server: RunningServer, before: Checkpoint, now: Checkpoint) -> None:
    """Check that the log is the one it was, and more."""
    params = {"from": before.size, "to": now.size}
    answer = server.http.get("/log/consistency", params=params).json()
    path = [b64decode(one) for one in answer["proof"]]
    check_consistency(before.size, before.root, now.size, now.root, path)


def prove(server: RunningServer, tenant: Tenant, receipts: Mapping[str, bytes]) -> None:
    """Check that the log has each receipt exactly as it was answered."""
    for id, text in receipts.items():
        answer = server.http.get(f"{PATH}{id}/proof", headers=tenant.headers)
        proof = proof_in(answer.text)
        check_inclusion(proof, commitment_to(RECEIPT, proof.salt, text))


def as_issued(answer: bytes) -> tuple[str, bytes]:
    """Return a receipt's id, and its text within the answer that brought it."""
    text = answer[answer.index(b'"receipt":') + len(b'"receipt":') : -1]
    return str(json.loads(text)["id"]), text


def test_no_receipt_is_lost_or_doubled_and_no_number_left_out(
    tmp_path: Path, database: tuple[str, int]
) -> None:
    url, count = database
    servers = [started(tmp_path, url) for _ in range(count)]
    before, total, acknowledged = checkpoint_of(servers[0], 0), 0, 0
    for _ in range(ROUNDS):
        tenant = servers[0].tenant()
        with Clients(servers, tenant) as clients:
            time.sleep(random.uniform(*MOMENTS_S))  # noqa: S311
            servers[0].kill()
        servers[0] = server = started(tmp_path, url)

        again = {key: issue(server, tenant, key) for key in clients.answers}
        answered = {key: one for key, one in clients.answers.items() if one is not None}
        assert answered == {key: again[key] for key in answered}
        receipts = dict(as_issued(one) for one in again.values() if one is not None)
        assert len(receipts) == len(again)
        found = stored(server, tenant)
        assert found.keys() == receipts.keys()
        assert sorted(found.values()) == [*range(1, len(found) + 1)]

        total, acknowledged = total + len(found), acknowledged + len(answered)
        now = checkpoint_of(server, total)
        check_continued(server, before, now)
        prove(server, tenant, dict([*receipts.items()][-PROVED:]))
        before = now
    for server in servers:
        server.stop()
    assert acknowledged > 5 * ROUNDS
    print(f"\n{ROUNDS} rounds, {acknowledged} acknowledged receipts checked, {total} in the log")  # noqa: T201
