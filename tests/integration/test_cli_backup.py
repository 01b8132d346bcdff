"""``llmring-server backup``, ``restore``, ``verify`` and ``db check``."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.test_cli import PASSWORD, Program

CALL = '{"provider":"openai","model":"gpt-4o","input_tokens":10,"output_tokens":3}\n'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database of one project, one key and two calls."""
    program = Program(tmp_path_factory.mktemp("made"))
    program("keys", "create", "--project", "demo")
    (program.folder / "calls.jsonl").write_text(CALL * 2)
    assert program("usage", "import", "calls.jsonl", "--project", "demo").code == 0
    return program.folder


@pytest.fixture
def llmring(made: Path, tmp_path: Path) -> Program:
    """The program, beside a copy of that database."""
    shutil.copytree(made, tmp_path / "copy")
    return Program(tmp_path / "copy")


def spoil(llmring: Program) -> None:
    with closing(sqlite3.connect(llmring.folder / "llmring.db")) as connection, connection:
        connection.execute("UPDATE usage_totals SET requests = 7 WHERE span = 1")


def test_a_backup_is_verified_and_restored_into_another_kind_of_database(
    llmring: Program, fresh_postgres: str
) -> None:
    there = {"LLMRING_DATABASE_URL": fresh_postgres}
    exported = llmring("usage", "export", "--project", "demo")

    written = llmring("backup", "demo.backup")
    verified = llmring("verify", "demo.backup", "--json")
    restored = llmring("restore", "demo.backup", **there)
    checked = llmring("db", "check", **there)
    again = llmring("restore", "demo.backup", **there)

    assert written.out.endswith(" tables written to demo.backup\n") and written.err == ""
    manifest = json.loads(verified.out)
    assert manifest["format"] == "llmring.backup" and manifest["made_from"] == "sqlite"
    assert {table["name"]: table["rows"] for table in manifest["tables"]}["usage_records"] == 2
    assert restored.code == 0 and restored.out.endswith("restored from demo.backup\n")
    assert checked.code == 0 and checked.out.endswith("nothing is wrong\n")
    assert again.code == 1 and again.err.startswith("Error: the database is not empty: ")
    assert llmring("usage", "export", "--project", "demo", **there).out == exported.out


def test_what_is_wrong_is_said_by_a_check_and_by_verifying_a_backup(llmring: Program) -> None:
    spoil(llmring)

    checked = llmring("db", "check")
    as_json = llmring("db", "check", "--json")
    llmring("backup", "demo.backup")
    verified = llmring("verify", "demo.backup")

    assert checked.code == as_json.code == verified.code == 1
    assert "totals that differ from the records they are made of: 1" in checked.out
    assert checked.out == verified.out
    assert checked.err == "Error: the database is not consistent; findings: 2\n"
    findings = json.loads(as_json.out)["findings"]
    assert [found["check"] for found in findings] == ["totals of records", "totals of quarters"]


def test_mistakes_are_one_clear_line(llmring: Program) -> None:
    (llmring.folder / "list.txt").write_text("a shopping list")
    elsewhere = {"LLMRING_DATABASE_URL": "sqlite:///elsewhere.db"}
    away = {"LLMRING_DATABASE_URL": f"postgresql://me:{PASSWORD}@127.0.0.1:1/usage"}

    assert llmring("backup", "list.txt").err == (
        "Error: list.txt exists already; choose another name\n"
    )
    assert llmring("restore", "nowhere.zip", **elsewhere).err == (
        "Error: there is no file nowhere.zip\n"
    )
    assert llmring("verify", "list.txt").err.startswith("Error: list.txt is no backup: ")
    assert llmring("backup", "new.zip", **elsewhere).err.startswith(
        "Error: there is no database elsewhere.db yet"
    )
    assert llmring("backup", "new.zip", **away).err.endswith("Connection refused\n")
    assert sorted(os.listdir(llmring.folder)) == ["calls.jsonl", "list.txt", "llmring.db"]
