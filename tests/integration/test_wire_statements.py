"""Statements over HTTP, and the files with which anybody checks them offline."""

import asyncio
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from msgspec import json

from llmring_adapters.database import open_engine
from llmring_adapters.transactions.sql import sql_transactions
from llmring_app.key_files import replace_seed
from llmring_core.ids import ProjectId
from tests.builders.kernel import FakeClock
from tests.builders.receipts import SEED, issuing
from tests.integration.server import Tenant, environment, program, running

RECEIPTS = "/api/v1/receipts"
STATEMENTS = f"{RECEIPTS}/statements"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)
COUNT = 3  # receipts of the day before yesterday
SOON_S = 3.0


class Stated(NamedTuple):
    tenant: Tenant
    days: list[str]  # the day before yesterday, and yesterday


@pytest.fixture(scope="module")
def stated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stated]:
    """A tenant with receipts of a day that is over."""
    folder = tmp_path_factory.mktemp("server")
    replace_seed(folder / "key", SEED)
    url, key = f"sqlite:///{folder / 'llmring.db'}", str(folder / "key")
    with running(folder, database_url=url, receipts_key_file=key) as server:
        tenant = server.tenant()
        tenant.log()
        with closing(sqlite3.connect(folder / "llmring.db")) as database:
            (project,) = database.execute("SELECT DISTINCT project FROM usage_records").fetchone()
        asyncio.run(_issued_before(url, project))
        yield Stated(tenant, [f"{NOW - days * DAY:%Y-%m-%d}" for days in (2, 1)])


async def _issued_before(url: str, project: str) -> None:
    """Issue receipts as a server does, two days ago."""
    engine = open_engine(url, "llmring")
    issue = issuing(sql_transactions(engine), clock=FakeClock(NOW - 2 * DAY))
    for _ in range(COUNT):
        await issue(ProjectId(project))
    await engine.dispose()


def state(tenant: Tenant, period: object) -> httpx.Response:
    return tenant.server.http.post(STATEMENTS, json={"period": period}, headers=tenant.headers)


def proof_of(tenant: Tenant, path: str) -> bytes:
    deadline = time.monotonic() + SOON_S
    while (answer := tenant.get(path)).status_code != 200:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)
    return answer.content


def test_anybody_can_check_that_a_bill_is_the_sum_of_its_receipts(
    stated: Stated, tmp_path: Path
) -> None:
    tenant, days = stated
    first, second = (state(tenant, day) for day in days)
    assert (first.status_code, second.status_code) == (201, 201), (first.text, second.text)
    assert (first.json()["count"], second.json()["count"]) == (COUNT, 0)
    again = state(tenant, days[0])
    assert (again.status_code, again.content) == (200, first.content)

    id, http = first.json()["id"], tenant.server.http
    files = {
        "statement.json": tenant.get(f"{STATEMENTS}/{id}").content,
        "next.json": second.content,
        "receipts.jsonl": tenant.get(f"{STATEMENTS}/{id}/receipts").content,
        "statement.tlog-proof": proof_of(tenant, f"{STATEMENTS}/{id}/proof"),
        "keys.json": http.get("/receipts/public-keys.json").content,
    }
    assert files["statement.json"] == first.content
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    log_key = http.get("/log/public-key").text.strip()
    words = ("--keys", "keys.json", "--receipts", "receipts.jsonl")
    proof = ("--proof", "statement.tlog-proof", "--log-key", log_key)
    assert verify(tmp_path, "statement.json", *words, *proof) == {
        *("form", "signature", "inclusion", "checkpoint", "completeness")
    }
    follows = ("--keys", "keys.json", "--previous", "statement.json")
    assert verify(tmp_path, "next.json", *follows) == {"form", "signature", "sequence"}

    lines = files["receipts.jsonl"].splitlines(keepends=True)
    (tmp_path / "receipts.jsonl").write_bytes(b"".join(lines[:-1]))
    assert "completeness" not in verify(tmp_path, "statement.json", *words)


def verify(folder: Path, *words: str) -> set[str]:
    """The steps that passed, offline and in an empty environment."""
    done = subprocess.run(  # noqa: S603  our own words
        program("receipts", "verify", *words),
        cwd=folder,
        env=environment(folder, {}),
        capture_output=True,
        timeout=60,
        check=False,
    )
    report = json.decode(done.stdout)
    assert done.returncode == (0 if report["valid"] else 1)
    return {step["name"] for step in report["steps"] if step["passed"]}


def test_they_are_listed_and_all_receipts_exported(stated: Stated) -> None:
    tenant, days = stated
    for day in days:
        state(tenant, day)
    page = tenant.get(f"{STATEMENTS}?limit=1").json()
    assert (page["total"], [one["period"] for one in page["statements"]]) == (2, days[1:])
    exported = tenant.get(f"{RECEIPTS}/export?format=jsonl")
    assert exported.headers["Content-Type"] == "application/x-ndjson"
    assert len(exported.content.splitlines()) == COUNT
    assert tenant.get(f"{RECEIPTS}/export?format=xml").status_code == 422
    stranger = tenant.server.tenant()
    assert stranger.get(f"{RECEIPTS}/export").content == b""
    assert stranger.get(STATEMENTS).json()["total"] == 0


@pytest.mark.parametrize(
    ("period", "status", "code"),
    [
        (f"{NOW:%Y-%m-%d}", 409, "receipts.not-yet-stated"),
        (f"{NOW:%Y-%m}", 409, "receipts.not-yet-stated"),
        ("2026-02-30", 422, "invalid-field"),
        ("", 422, "invalid-field"),
        (None, 422, "unprocessable"),
        (20261120, 422, "unprocessable"),
    ],
)
def test_a_period_that_cannot_be_stated_is_refused(
    stated: Stated, period: object, status: int, code: str
) -> None:
    answer = state(stated.tenant.server.tenant(), period)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


@pytest.mark.parametrize("path", ["", "/receipts", "/proof"])
def test_a_statement_of_another_project_is_not_there(stated: Stated, path: str) -> None:
    id = state(stated.tenant, stated.days[0]).json()["id"]
    answer = stated.tenant.server.tenant().get(f"{STATEMENTS}/{id}{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "receipts.statement-not-found")
