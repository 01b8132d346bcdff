"""A server and its witness, two processes: what is cosigned, refused, and outlived."""

import os
import signal
import socket
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from msgspec import json

from llmring_adapters.transparency.local_key import LocalLogKey
from llmring_core.transparency import note_of, signers_of, verified_checkpoint
from tests.builders.transparency import SIGNER
from tests.builders.witnesses import FORK, TREE, asking, signed
from tests.integration.server import RunningServer, Tenant, environment, run, running
from tests.integration.test_readme import blocks
from tests.integration.test_wire_transparency import RECEIPTS, checkpoint_of, issued, proof_of
from tests.integration.witness import RunningWitness, watching

PATIENCE_S = 30.0
GUIDE = (Path(__file__).parents[2] / "docs/how-to/receipts.md").read_text()

Found = TypeVar("Found")


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[RunningWitness]:
    folder = tmp_path / "witness"
    folder.mkdir()
    with watching(folder, SIGNER.key) as found:
        yield found


@pytest.fixture
def server(tmp_path: Path, witness: RunningWitness) -> Iterator[RunningServer]:
    """A server whose log has the key of the tests' builders, so that a test can forge it."""
    folder = tmp_path / "server"
    folder.mkdir()
    key = folder / "llmring-log.key"
    key.touch(mode=0o600)
    key.write_bytes(urlsafe_b64encode(bytes(range(32))))
    with running(folder, log_origin=SIGNER.key.name, witnesses=witness.setting) as found:
        yield found


def eventually(look: Callable[[], Found | None]) -> Found:
    deadline = time.monotonic() + PATIENCE_S
    while (found := look()) is None:
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)
    return found


def cosigned(server: RunningServer, witness: RunningWitness, size: int) -> str:
    """The newest checkpoint, as soon as it has ``size`` entries and the witness cosigned it."""

    def look() -> str | None:
        text = server.http.get("/log/checkpoint").text
        checkpoint, found = verified_checkpoint(text, SIGNER.key, [witness.key])
        return text if checkpoint.size == size and found else None

    return eventually(look)


def forged(size: int) -> bytes:
    """Another log of that size, signed with the key of ours."""
    return f"old {size}\n\n{signed(FORK.checkpoint(size))}".encode()


def test_a_cosigned_receipt_is_verified_offline(
    server: RunningServer, witness: RunningWitness, tmp_path: Path
) -> None:
    tenant = server.tenant()
    kept = issued(tenant)
    cosigned(server, witness, 1)
    files = {
        "receipt.json": tenant.get(RECEIPTS + kept["receipt_id"]),
        "receipt.tlog-proof": proof_of(tenant, kept["receipt_id"]),
        "public-keys.json": server.http.get("/receipts/public-keys.json"),
    }
    for name, answer in files.items():
        (tmp_path / name).write_bytes(answer.content)
    words = ["receipts", "verify", "receipt.json", "--keys", "public-keys.json"]
    words += ["--proof", "receipt.tlog-proof", "--log-key", SIGNER.key.text]
    report = json.decode(run(tmp_path, *words, "--witness", witness.key.text))
    assert report["valid"], report
    assert "checkpoint" in [step["name"] for step in report["steps"]]


def test_the_log_goes_on_without_its_witness_and_the_witness_from_where_it_was(
    server: RunningServer, witness: RunningWitness
) -> None:
    tenant = server.tenant()
    for _ in range(2):
        proof_of(tenant, issued(tenant)["receipt_id"])
    cosigned(server, witness, 2)

    witness.kill()
    for _ in range(3):
        assert proof_of(tenant, issued(tenant)["receipt_id"]).status_code == 200
    assert checkpoint_of(server).size == 5
    said = f"the witness {witness.key.name} does not cosign for now"
    eventually(lambda: said in server.said or None)
    witness.start()

    back = witness.ask(forged(40))  # it remembers, before anybody tells it
    assert (back.status_code, back.headers["content-type"]) == (409, "text/x.tlog.size")
    assert int(back.text) in (2, 5)
    cosigned(server, witness, 5)
    assert server.said.count(said) == 1


def test_a_server_that_starts_again_goes_on_with_its_witness(
    tmp_path: Path, witness: RunningWitness, server: RunningServer
) -> None:
    tenant = server.tenant()
    proof_of(tenant, issued(tenant)["receipt_id"])
    cosigned(server, witness, 1)
    server.kill()
    settings = {"log_origin": SIGNER.key.name, "witnesses": witness.setting}
    with running(tmp_path / "server", **settings) as again:
        issued(Tenant(again, tenant.key))
        cosigned(again, witness, 2)
        assert "does not cosign" not in again.said


def test_a_forked_log_is_refused(server: RunningServer, witness: RunningWitness) -> None:
    tenant = server.tenant()
    for _ in range(2):
        proof_of(tenant, issued(tenant)["receipt_id"])
    cosigned(server, witness, 2)

    same_size = witness.ask(forged(2))
    assert (same_size.status_code, same_size.text) == (409, "2\n")
    assert witness.ask(asking(2, 7, TREE)).status_code == 422
    assert witness.ask(asking(0, 7, TREE)).status_code == 409

    proof_of(tenant, issued(tenant)["receipt_id"])
    cosigned(server, witness, 3)


def test_each_refusal_has_the_status_that_logs_understand(witness: RunningWitness) -> None:
    stranger = LocalLogKey("example.com/other", bytes(32))
    unsigned = LocalLogKey(SIGNER.key.name, bytes(32))
    unknown = signed(TREE.checkpoint(5, origin=stranger.key.name), stranger)
    for body, status in (
        (asking(0, 5), 200),
        (asking(5, 5), 200),
        (b"", 400),
        (b"old 5\n\n\xff", 400),
        (b"old 5\n\n" + b"x" * 2**16, 413),
        (asking(6, 5, path=()), 400),
        (f"old 0\n\n{signed(TREE.checkpoint(5), unsigned)}".encode(), 403),
        (f"old 0\n\n{unknown}".encode(), 404),
        (asking(4, 7), 409),
        (asking(5, 7, path=()), 422),
        (asking(5, 7), 200),
        (asking(5, 7), 409),
    ):
        answer = witness.ask(body)
        assert answer.status_code == status, (body, answer.text)
        if status == 200:
            text = note_of(body.decode().partition("\n\n")[2]).text
            assert signers_of(note_of(f"{text}\n{answer.text}"), [witness.key]) == [witness.key]
        elif status == 409:
            assert answer.headers["content-type"] == "text/x.tlog.size"
        else:
            assert answer.headers["content-type"] == "application/problem+json"
    assert witness.get("/add-checkpoint").status_code == 405
    assert witness.get("/public-key").text == f"{witness.key.text}\n"


def test_what_was_cosigned_outlives_kill_9(witness: RunningWitness) -> None:
    for old, new in ((0, 5), (5, 9), (9, 23)):
        assert witness.ask(asking(old, new)).status_code == 200
        witness.kill()
        witness.start()
        answer = witness.ask(asking(0, 40))
        assert (answer.status_code, answer.text) == (409, f"{new}\n")


def test_a_witness_that_never_answers_holds_nothing_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        key = run(tmp_path, "witness", "key").strip()
        setting = f"http://127.0.0.1:{silent.getsockname()[1]}={key}"
        with running(tmp_path, witnesses=setting) as server:
            tenant = server.tenant()
            for _ in range(3):
                assert proof_of(tenant, issued(tenant)["receipt_id"]).status_code == 200
            assert checkpoint_of(server).size == 3
            eventually(lambda: "the witness took over 5 s" in server.said or None)


def test_the_guide_starts_a_witness(server_on_sqlite: RunningServer, tmp_path: Path) -> None:
    (shown,) = (block for block in blocks(GUIDE, "sh") if "witness run" in block)
    for written, here in (
        ("llmring-server", f"{sys.executable} -m llmring_app"),
        ("https://bills.example.com", server_on_sqlite.url),
        ("0.0.0.0:8099", "127.0.0.1:0"),
    ):
        assert written in shown
        shown = shown.replace(written, here)
    shell = subprocess.Popen(  # noqa: S602  our own document
        shown,
        shell=True,
        cwd=tmp_path,
        env=environment(tmp_path, {}),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert shell.stdout is not None
        told = next(line for line in shell.stdout if "LLMRING_WITNESSES=" in line)
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.communicate()
    made = run(tmp_path, "witness", "key")
    assert told.endswith(f"={made}")
