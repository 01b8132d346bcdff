"""``llmring-server receipts verify`` with nothing but files that anybody can fetch."""

import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec import json

from tests.integration.server import Tenant, call, environment, program, running

RECEIPTS = "/api/v1/receipts/"
SOON_S = 3.0


class Files(NamedTuple):
    folder: Path
    log_key: str

    def __getitem__(self, name: Any) -> Any:
        return str(self.folder / name)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Files]:
    """What a customer keeps: a receipt, its proof, the keys, the prices, an older checkpoint."""
    folder = tmp_path_factory.mktemp("customer")
    with running(tmp_path_factory.mktemp("server")) as server:
        tenant, http = server.tenant(), server.http

        def issue() -> str:
            answer = http.post(RECEIPTS, json=call(), headers=tenant.headers)
            id = str(answer.json()["receipt_id"])
            deadline = time.monotonic() + SOON_S
            while tenant.get(f"{RECEIPTS}{id}/proof").status_code != 200:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            return id

        issue()
        old = http.get("/log/checkpoint").text
        id = issue()
        new = http.get("/log/checkpoint").text
        sizes = f"from={old.splitlines()[1]}&to={new.splitlines()[1]}"
        receipt = tenant.get(RECEIPTS + id)
        version = receipt.json()["registry"]["version"]
        kept = {
            "receipt.json": receipt,
            "receipt.tlog-proof": tenant.get(f"{RECEIPTS}{id}/proof"),
            "keys.json": http.get("/receipts/public-keys.json"),
            "jwks.json": http.get("/.well-known/jwks.json"),
            "key.pem": http.get("/receipts/public-key.pem"),
            "key.jwk": http.get("/receipts/public-key.jwk"),
            "consistency.json": http.get(f"/log/consistency?{sizes}"),
            "registry.json": http.get(f"/registry/v/{version}/registry.json"),
        }
        for name, answer in kept.items():
            (folder / name).write_bytes(answer.content)
        (folder / "old.checkpoint").write_text(old)
        yield Files(folder, http.get("/log/public-key").text.strip())


def run(folder: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(  # noqa: S603  our own words
        program("receipts", *words),
        cwd=folder,
        env=environment(folder, {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def verify(files: Files, *words: str) -> tuple[int, Any]:
    """The exit code and the verdict, in an empty environment, without any server."""
    code, said = run(files.folder, "verify", *words)
    if said.startswith("Error"):
        return code, said
    assert said.count("\n") == 1
    return code, json.decode(said)


def test_everything_checks_out(files: Files) -> None:
    code, report = verify(
        files,
        "receipt.json",
        *("--keys", "keys.json", "--proof", "receipt.tlog-proof", "--log-key", files.log_key),
        *("--checkpoint", "old.checkpoint", "--consistency", "consistency.json"),
        *("--registry", "registry.json"),
    )
    assert (code, report["valid"]) == (0, True), report
    assert [step["name"] for step in report["steps"]] == [
        *("form", "signature", "inclusion", "checkpoint", "consistency", "cost")
    ]


def test_a_cost_is_recomputed_from_our_own_prices(files: Files) -> None:
    code, report = verify(files, "receipt.json", "--keys", "keys.json", "--recompute")
    assert (code, report["valid"]) == (0, True), report
    assert report["steps"][-1]["name"] == "cost"


@pytest.mark.parametrize("keys", ["jwks.json", "key.pem", "key.jwk"])
def test_keys_are_read_in_every_form(files: Files, keys: str) -> None:
    code, report = verify(files, "receipt.json", "--keys", keys)
    assert (code, report["valid"]) == (0, True), report


def test_a_changed_receipt_is_found(files: Files) -> None:
    changed = (files.folder / "receipt.json").read_bytes().replace(b'"seq":2', b'"seq":3')
    (files.folder / "changed.json").write_bytes(changed)
    code, report = verify(
        files, "changed.json", "--keys", "keys.json", "--proof", "receipt.tlog-proof"
    )
    assert (code, report["valid"]) == (1, False)
    assert [step["passed"] for step in report["steps"]] == [True, False, False]


@pytest.mark.parametrize(
    "words",
    [
        ("nothing.json", "--keys", "keys.json"),
        ("receipt.json", "--keys", "nothing.json"),
        ("receipt.json", "--keys", "receipt.tlog-proof"),
        ("receipt.json", "--keys", "keys.json", "--log-key", "nonsense"),
        ("receipt.json", "--keys", "keys.json", "--consistency", "keys.json"),
    ],
)
def test_what_is_missing_or_malformed_is_one_clear_line(
    files: Files, words: tuple[str, ...]
) -> None:
    code, said = verify(files, *words)
    assert code == 1
    assert said.startswith("Error: ") and said.count("\n") == 1


def test_an_operator_rotates_revokes_exports_and_audits(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        tenant = server.tenant()
        answer = server.http.post(RECEIPTS, json=call(), headers=tenant.headers)
        id, old = answer.json()["receipt_id"], answer.json()["receipt"]["key_id"]
        code, said = run(tmp_path, "keys", "rotate")
        assert (code, "restart the servers" in said) == (0, True)
        refused = server.http.post(RECEIPTS, json=call(), headers=tenant.headers)
        assert (refused.status_code, refused.json()["code"]) == (503, "receipts.cannot-sign")
    with running(tmp_path) as server:
        there = Tenant(server, tenant.key)
        new = server.http.post(RECEIPTS, json=call(), headers=there.headers).json()
        assert new["receipt"]["key_id"] != old
        assert new["receipt"]["seq"] == 2
        assert there.get(RECEIPTS + id).headers["X-Receipt-Valid"] == "true"
    listed = json.decode(run(tmp_path, "keys", "list", "--json")[1])
    assert {row["key"]: row["status"] for row in listed} == {
        old: "retired",
        new["receipt"]["key_id"]: "active",
    }
    exported = json.decode(run(tmp_path, "keys", "export")[1])
    assert {key["kid"] for key in exported} == {row["key"] for row in listed}
    assert run(tmp_path, "audit") == (0, "2 receipts checked, nothing wrong\n")

    assert run(tmp_path, "keys", "revoke", old) == (0, f"{old} is revoked\n")
    with closing(sqlite3.connect(tmp_path / "llmring.db")) as connection, connection:
        connection.execute(
            "UPDATE receipts SET body = replace(body, '\"amount\":', '\"amount\": ') WHERE id = ?",
            (new["receipt_id"],),
        )
        connection.execute(
            "UPDATE receipts SET body = replace(body, 'gpt-4.1', 'gpt-4.0') WHERE id = ?", (id,)
        )
    code, said = run(tmp_path, "audit", "--json")
    found = json.decode(said)
    assert (code, found["receipts"]) == (1, 2)
    assert {finding["receipt"] for finding in found["findings"]} == {id, new["receipt_id"]}
    with running(tmp_path) as server:
        there = Tenant(server, tenant.key)
        assert there.get(RECEIPTS + id).headers["X-Receipt-Valid"] == "false"
