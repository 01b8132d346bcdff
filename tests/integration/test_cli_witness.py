"""``llmring-server witness``: what it makes, and what keeps it from starting."""

import socket
import stat
from pathlib import Path

import pytest

from tests.builders.transparency import SIGNER
from tests.builders.witnesses import WITNESS_KEY
from tests.integration.test_cli import Program

LOG = SIGNER.key.text


@pytest.fixture
def llmring(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_a_key_is_made_once_and_for_its_owner_only(llmring: Program) -> None:
    first, second = (llmring("witness", "key") for _ in range(2))

    file = llmring.folder / "llmring-witness.key"
    assert first.out == second.out
    assert first.out.startswith("llmring-witness-")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in llmring.folder.iterdir()] == [file.name]


def test_its_name_and_file_can_be_chosen(llmring: Program) -> None:
    done = llmring("witness", "key", "--name", "w.example", "--key-file", "my.key")

    assert done.out.startswith("w.example+")
    assert (llmring.folder / "my.key").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--log", "nonsense"], "--log cannot be used: a verifier key must be an Ed25519 key"),
        (
            ["--log", WITNESS_KEY.key.text],
            "--log must be the key of a log, as /log/public-key shows it",
        ),
        (
            ["--log", LOG, "--name", "two words"],
            "--name cannot be used: a key's name must have no blanks and no plus",
        ),
        (
            ["--log", LOG, "--state", "nowhere/state.db"],
            "the witness's state cannot be used: unable to open database file",
        ),
        (
            ["--log", LOG, "--key-file", "nowhere/my.key"],
            "the key file nowhere/my.key cannot be used: No such file or directory",
        ),
    ],
)
def test_what_it_cannot_use_is_one_clear_line(
    llmring: Program, words: list[str], said: str
) -> None:
    done = llmring("witness", "run", "--listen", "127.0.0.1:0", *words)

    assert (done.code, done.out, done.err) == (1, "", f"Error: {said}\n")


def test_a_key_that_others_can_read_is_not_used(llmring: Program) -> None:
    llmring("witness", "key")
    (llmring.folder / "llmring-witness.key").chmod(0o644)

    done = llmring("witness", "run", "--log", LOG, "--listen", "127.0.0.1:0")

    assert done.code == 1
    assert "can be read by others; run chmod 600" in done.err


def test_an_address_in_use_is_one_clear_line(llmring: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"

        done = llmring("witness", "run", "--log", LOG, "--listen", address)

    assert done.code == 1
    assert done.err.endswith("Address already in use; choose another --listen\n")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--log", LOG, "--listen", "8099"],
        ["--log", LOG, "--listen", "127.0.0.1:65536"],
        ["--log", LOG, "--listen", ":1"],
    ],
)
def test_wrong_usage_exits_with_2(llmring: Program, words: list[str]) -> None:
    assert llmring("witness", "run", *words).code == 2


def test_a_server_refuses_witnesses_that_are_none(llmring: Program) -> None:
    done = llmring("serve", "--port", "0", LLMRING_WITNESSES="https://w.example")

    assert done.code == 1
    assert done.err == (
        "Error: LLMRING_WITNESSES must be at most 16 pairs URL=KEY of witnesses, by commas\n"
    )
    assert not any(llmring.folder.iterdir())
