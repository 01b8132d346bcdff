"""The transparency log as a reader sees it: checkpoints, tiles, proofs, and nothing of anybody."""

import base64
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import json

from llmring_core.transparency import (
    RECEIPT,
    Checkpoint,
    NoteKey,
    check_consistency,
    check_inclusion,
    commitment_to,
    leaf_hash,
    note_key,
    proof_in,
    verified_checkpoint,
)
from llmring_core.transparency.tiles import Tile, TileName, hash_of
from llmring_core.transparency.tree import Range
from tests.integration.server import RunningServer, Tenant, call, running

RECEIPTS = "/api/v1/receipts/"
SOON_S = 3.0


def issued(tenant: Tenant) -> dict[str, Any]:
    answer = tenant.server.http.post(RECEIPTS, json=call(), headers=tenant.headers)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def proof_of(tenant: Tenant, id: str) -> httpx.Response:
    """Ask for a proof until the log has taken the receipt in."""
    deadline = time.monotonic() + SOON_S
    while True:
        answer = tenant.get(f"{RECEIPTS}{id}/proof")
        if answer.status_code == 200 or time.monotonic() > deadline:
            return answer
        time.sleep(0.05)


def key_of(server: RunningServer) -> NoteKey:
    return note_key(server.http.get("/log/public-key").text)


def checkpoint_of(server: RunningServer) -> Checkpoint:
    answer = server.http.get("/log/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return verified_checkpoint(answer.text, key_of(server))[0]


def test_a_receipt_is_proved_within_seconds(tenant: Tenant) -> None:
    kept = issued(tenant)
    answer = proof_of(tenant, kept["receipt_id"])
    assert answer.status_code == 200, answer.text
    proof = proof_in(answer.text)
    verified_checkpoint(proof.checkpoint, key_of(tenant.server))
    served = tenant.get(RECEIPTS + kept["receipt_id"]).content
    check_inclusion(proof, commitment_to(RECEIPT, proof.salt, served))


def test_a_reader_computes_the_root_from_the_tiles(tenant: Tenant) -> None:
    proof_of(tenant, issued(tenant)["receipt_id"])
    http, found = tenant.server.http, checkpoint_of(tenant.server)
    assert 0 < found.size < 256  # one tile of this test's server
    tile = http.get(f"/log/tile/0/000.p/{found.size}")
    assert "immutable" in tile.headers["cache-control"]
    entries = http.get(f"/log/tile/entries/000.p/{found.size}").content
    leaves = [entries[start + 2 : start + 34] for start in range(0, len(entries), 34)]
    assert tile.content == b"".join(map(leaf_hash, leaves))
    tiles = {TileName(0, 0): Tile(name=TileName(0, 0), hashes=tile.content)}
    assert hash_of(Range(0, found.size), tiles) == found.root


def test_each_checkpoint_continues_those_before(tenant: Tenant) -> None:
    seen = []
    for _ in range(3):
        proof_of(tenant, issued(tenant)["receipt_id"])
        seen.append(checkpoint_of(tenant.server))
    for old in seen:
        query = f"/log/consistency?from={old.size}&to={seen[-1].size}"
        path = [base64.b64decode(one) for one in tenant.server.http.get(query).json()["proof"]]
        check_consistency(old.size, old.root, seen[-1].size, seen[-1].root, path)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/log/tile/0/999", 404),
        ("/log/tile/9/000", 404),
        ("/log/tile/0/000.p/0", 404),
        ("/log/tile/0/nonsense", 404),
        ("/log/tile/x/000", 404),
        ("/log/tile/entries/999", 404),
        ("/log/consistency?from=0&to=999999", 404),
        ("/log/consistency?from=2&to=1", 404),
        ("/log/consistency?from=-1&to=1", 404),
        ("/log/consistency?from=x&to=1", 422),
        ("/log/consistency", 422),
    ],
)
def test_what_there_is_not_is_not_found(anyone: Tenant, path: str, status: int) -> None:
    answer = anyone.server.http.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_log_goes_on_after_kill_9_under_the_same_key(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        tenant = server.tenant()
        kept = issued(tenant)
        proof_of(tenant, kept["receipt_id"])
        old, key = checkpoint_of(server), key_of(server)
        late = [issued(tenant)["receipt_id"] for _ in range(5)]
        server.kill()
    with running(tmp_path) as server:
        there = Tenant(server, tenant.key)
        assert key_of(server) == key
        for id in late:
            check_inclusion(
                proof_in(proof_of(there, id).text),
                commitment_to(
                    RECEIPT,
                    proof_in(proof_of(there, id).text).salt,
                    there.get(RECEIPTS + id).content,
                ),
            )
        new = checkpoint_of(server)
        assert new.size == old.size + 5
        path = server.http.get(f"/log/consistency?from={old.size}&to={new.size}").json()["proof"]
        check_consistency(old.size, old.root, new.size, new.root, list(map(base64.b64decode, path)))


def test_a_log_is_not_continued_under_another_key(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        proof_of(server.tenant(), issued(server.tenant())["receipt_id"])
    (tmp_path / "llmring-log.key").unlink()
    again = RunningServer(tmp_path)
    again.launch()
    with pytest.raises(Exception, match="the transparency log in this database is not that of"):
        again.wait_until_ready()


def test_nothing_of_a_receipt_is_in_the_log(tenant: Tenant) -> None:
    kept = issued(tenant)
    proof_of(tenant, kept["receipt_id"])
    size = checkpoint_of(tenant.server).size
    entries = tenant.server.http.get(f"/log/tile/entries/000.p/{size}").content
    for secret in (kept["receipt_id"], kept["signature"], tenant.key):
        assert secret.encode() not in entries
    assert json.encode(kept["receipt"]) not in entries
