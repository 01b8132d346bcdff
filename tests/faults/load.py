"""Clients that write down what they send and what is answered, and the check of their journal."""

import http.client
import json
import secrets
import threading
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.integration.server import RunningServer, Tenant, call

CLIENTS = 8  # every fourth one sends batches
BATCH = 5  # calls
BATCH_PATH = "/api/v1/log/batch"
KEPT_TRYING = 30.0  # seconds


class Journal:
    """Lines ``sent ID`` before a request leaves and ``acknowledged ID`` after its answer came."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a", buffering=1)
        self._lock = threading.Lock()
        self.path = file

    def write(self, what: str, id: str) -> None:
        with self._lock:
            self._file.write(f"{what} {id}\n")

    def ids(self, what: str) -> set[str]:
        lines = (line.split() for line in self.path.read_text().splitlines())
        return {id for kind, id in lines if kind == what}

    def close(self) -> None:
        self._file.close()


class Load:
    """Concurrent clients of one tenant, until told to stop; a dead server does not stop them."""

    def __init__(self, tenant: Tenant, journal: Journal, clients: int = CLIENTS) -> None:
        self.statuses: Counter[int] = Counter()  # 0: no answer
        self.slowest_s = 0.0
        self._tenant = tenant
        self._journal = journal
        self._stop = threading.Event()
        sizes = [BATCH if number % 4 == 3 else 1 for number in range(clients)]
        self._threads = [threading.Thread(target=self._client, args=(size,)) for size in sizes]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _client(self, size: int) -> None:
        connection = http.client.HTTPConnection(*self._tenant.server.address, timeout=20)
        while not self._stop.is_set():
            ids = [secrets.token_hex(8) for _ in range(size)]
            for id in ids:
                self._journal.write("sent", id)
            began = time.monotonic()
            try:
                status = send(connection, self._tenant, *ids)
            except (OSError, http.client.HTTPException):
                connection.close()
                status = 0
                time.sleep(0.01)
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            self.statuses[status] += 1
            if status == 200:
                for id in ids:
                    self._journal.write("acknowledged", id)
        connection.close()


def send(connection: http.client.HTTPConnection, tenant: Tenant, *ids: str) -> int:
    """Log the calls ``ids``, several as a batch; whoever sends one again sends the same."""
    calls = [_named(id) for id in ids]
    path, body = ("/api/v1/log", calls[0]) if len(ids) == 1 else (BATCH_PATH, {"logs": calls})
    named = {"Idempotency-Key": ids[0]} if ids[0][-1] in "01234567" else {}
    headers = tenant.headers | named | {"Content-Type": "application/json"}
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    said = answer.read()
    if len(ids) > 1 and answer.status == 200:  # each line has a result of its own
        result = json.loads(said)
        return 200 if result["accepted"] + result["duplicates"] == len(ids) else 503
    return answer.status


def _named(id: str) -> dict[str, Any]:
    cost = f"0.00000000{int(id[:3], 16) + 1:04}"
    return call(client_log_id=id, origin=f"o{id[0]}", cost=cost)


def check(server: RunningServer, tenant: Tenant, journal: Journal) -> set[str]:
    """What is stored: all that was acknowledged, only what was sent, once, and sums are equal."""
    there = Tenant(server, tenant.key)
    rows = all_rows(there)
    stored = [str(row["client_log_id"]) for row in rows]
    assert len(stored) == len(set(stored)), "stored twice"
    assert journal.ids("acknowledged") <= set(stored), "acknowledged and not stored"
    assert set(stored) <= journal.ids("sent"), "stored and never sent"
    check_sums(there, rows)
    return set(stored)


def check_sums(tenant: Tenant, rows: list[dict[str, Any]]) -> None:
    """Whole days are added up from the totals, so the totals are those of the rows."""
    summary = tenant.stats("start_date=2020-01-01&end_date=2100-01-01")
    cost = sum((Decimal(str(row["cost"])) for row in rows), Decimal(0))
    assert summary["summary"]["total_requests"] == len(rows)
    assert Decimal(summary["summary"]["total_cost"]) == cost
    by_origin = Counter(row["origin"] for row in rows if row["origin"] is not None)
    assert {name: sums["requests"] for name, sums in summary["by_origin"].items()} == by_origin


def all_rows(tenant: Tenant) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    query = "limit=500"
    while True:
        answer = tenant.get(f"/api/v1/logs?{query}")
        assert answer.status_code == 200, answer.text
        rows += json.loads(answer.content, parse_float=Decimal)
        if "x-next-cursor" not in answer.headers:
            return rows
        query = f"limit=500&cursor={answer.headers['x-next-cursor']}"


def repeat_unanswered(server: RunningServer, tenant: Tenant, journal: Journal) -> None:
    """Do what a client does that got no answer: send it again, by the same name."""
    connection = http.client.HTTPConnection(*server.address, timeout=20)
    for id in sorted(journal.ids("sent") - journal.ids("acknowledged")):
        assert send(connection, tenant, id) == 200
        journal.write("acknowledged", id)
    connection.close()
