"""The command line, as typed into a shell: the real program, an empty folder, no environment."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from llmring_app.settings import without_password

SRC = Path(__file__).parents[2] / "src"
PASSWORD = "Zq7canary"  # noqa: S105


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Program:
    """``llmring-server`` in a folder of its own."""

    folder: Path

    def __call__(self, *args: str, **environment: str) -> Done:
        done = subprocess.run(  # noqa: S603  our own program
            self.command(*args),
            cwd=self.folder,
            env={"PYTHONPATH": str(SRC)} | environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "Traceback" not in done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    @staticmethod
    def command(*args: str) -> list[str]:
        return [sys.executable, "-W", "error", "-m", "llmring_app", *args]


@pytest.fixture
def llmring(tmp_path: Path) -> Program:
    return Program(tmp_path)


class TestKeys:
    def test_live_from_create_to_revoke(self, llmring: Program) -> None:
        created = llmring("keys", "create", "--project", "demo")
        (first,) = json.loads(llmring("keys", "list", "--json").out)
        rotated = json.loads(llmring("keys", "rotate", first["id"], "--json").out)
        revoked = llmring("keys", "revoke", rotated["id"])
        old, new = json.loads(llmring("keys", "list", "--json").out)

        assert created.out.startswith("llmr_pk_") and created.out.count("\n") == 1
        assert "will not be shown again" in created.err
        assert first["project"] == "demo" and first["revoked_at"] is None
        assert rotated["key"].startswith("llmr_pk_") and rotated["key"] not in created.out
        assert revoked.out.startswith(f"Revoked {rotated['id']}")
        assert (old["id"], new["id"]) == (first["id"], rotated["id"])
        assert old["revoked_at"] and new["revoked_at"] and new["project"] == "demo"

    def test_are_listed_aligned_and_shortened(self, llmring: Program) -> None:
        secret = json.loads(llmring("keys", "create", "--project", "demo", "--json").out)["key"]

        listed = llmring("keys", "list")

        header, row = listed.out.splitlines()
        assert header.split() == ["ID", "PROJECT", "KEY", "CREATED", "REVOKED"]
        assert row.index("demo") == header.index("PROJECT")
        assert secret not in listed.out and secret[-4:] in listed.out

    def test_that_do_not_exist_are_one_clear_line(self, llmring: Program) -> None:
        done = llmring("keys", "revoke", "nope")

        assert done.code == 1
        assert done.err == "Error: there is no API key nope; see `llmring-server keys list`\n"

    def test_need_a_project(self, llmring: Program) -> None:
        assert (
            llmring("keys", "create", "--project", "").err == "Error: project: must not be empty\n"
        )
        assert llmring("keys", "create").code == 2


class TestConfig:
    def test_is_printed_as_a_dotenv_file_without_passwords(self, llmring: Program) -> None:
        url = f"postgresql://me:{PASSWORD}@db/usage"

        done = llmring("config", LLMRING_DATABASE_URL=url)

        lines = done.out.splitlines()
        assert done.code == 0
        assert "LLMRING_DATABASE_URL=postgresql://me:***@db/usage" in lines
        assert "LLMRING_AUTH=open" in lines and "LLMRING_OPEN_TO_NETWORK=false" in lines

    def test_as_json_keeps_its_types(self, llmring: Program) -> None:
        (llmring.folder / ".env").write_text("export LLMRING_CACHE_TTL=7 # seconds\n")

        values = json.loads(llmring("config", "--json", LLMRING_CORS_ORIGINS="").out)

        assert values["LLMRING_CACHE_TTL"] == 7
        assert values["LLMRING_CORS_ORIGINS"] == []
        assert values["LLMRING_REDIS_URL"] is None

    def test_help_lists_every_setting(self, llmring: Program) -> None:
        names = json.loads(llmring("config", "--json").out)

        shown = llmring("config", "--help").out

        assert [name for name in names if name not in shown] == []

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("LLMRING_DATABSE_URL", "is not a setting; did you mean LLMRING_DATABASE_URL?"),
            ("LLMRING_AUTH", "must be open or keys"),
        ],
    )
    def test_mistakes_are_one_line_that_never_holds_the_value(
        self, llmring: Program, name: str, said: str
    ) -> None:
        done = llmring("config", **{name: PASSWORD})

        assert (done.code, done.out, done.err) == (1, "", f"Error: {name} {said}\n")


class TestDatabase:
    def test_status_creates_nothing(self, llmring: Program) -> None:
        done = llmring("db", "status")

        assert done.code == 1
        assert done.err == (
            "Error: there is no database llmring.db yet; `llmring-server db create` makes it\n"
        )
        assert os.listdir(llmring.folder) == []

    def test_is_created_once_and_then_up_to_date(self, llmring: Program) -> None:
        created = llmring("db", "create")
        again = llmring("db", "upgrade")
        status = json.loads(llmring("db", "status", "--json").out)

        assert created.out == f"Migrated sqlite:///./llmring.db: {', '.join(status['applied'])}\n"
        assert again.out == "Migrated sqlite:///./llmring.db: nothing, it is up to date\n"
        assert status["applied"] and status["pending"] == []

    def test_is_another_one_in_the_test_environment_and_only_that_may_be_dropped(
        self, llmring: Program
    ) -> None:
        llmring("db", "create", "--env", "test")
        llmring("db", "create")

        unsure = llmring("db", "drop-test")
        dropped = llmring("db", "drop-test", "--yes")
        refused = llmring("db", "drop-test", "--yes", LLMRING_DATABASE_URL="sqlite:///llmring.db")

        assert unsure.code == 1 and unsure.err.endswith("add --yes\n")
        assert dropped.out == "Dropped sqlite:///./llmring_test.db\n"
        assert refused.err == "Error: only a database whose name ends in _test may be dropped\n"
        assert os.listdir(llmring.folder) == ["llmring.db"]

    def test_that_does_not_answer_is_one_clear_line(self, llmring: Program) -> None:
        url = f"postgresql://me:{PASSWORD}@127.0.0.1:1/usage"

        done = llmring("keys", "list", LLMRING_DATABASE_URL=url)

        assert done.code == 1
        assert done.err == (
            "Error: the database postgresql://me:***@127.0.0.1:1/usage cannot be used: "
            "Connection refused\n"
        )

    def test_that_is_no_database_is_one_clear_line(self, llmring: Program) -> None:
        (llmring.folder / "llmring.db").write_text("a shopping list, not a database" * 100)

        done = llmring("keys", "list")

        assert done.code == 1
        assert done.err.endswith(
            "file is not a database; name another file; this one is left as it is\n"
        )

    def test_of_a_newer_version_is_left_alone(self, llmring: Program) -> None:
        llmring("db", "create")
        with closing(sqlite3.connect(llmring.folder / "llmring.db")) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")

        for command in (["keys", "list"], ["db", "status"], ["serve", "--port", "0"]):
            done = llmring(*command)

            assert done.code == 1
            assert done.err.startswith("Error: the database has schema revision 9999, which this")

    def test_is_made_and_dropped_on_postgresql(
        self, llmring: Program, postgres_server: str
    ) -> None:
        name = f"llmring_cli_{os.getpid()}_test"
        url = urlsplit(postgres_server)._replace(path=f"/{name}").geturl()
        shown = without_password(url)

        missing = llmring("db", "status", LLMRING_DATABASE_URL=url)
        created = llmring("db", "create", LLMRING_DATABASE_URL=url)
        pending = json.loads(llmring("db", "status", "--json", LLMRING_DATABASE_URL=url).out)
        dropped = llmring("db", "drop-test", "--yes", LLMRING_DATABASE_URL=url)

        assert missing.err.endswith(
            f'"{name}" does not exist; `llmring-server db create` makes it\n'
        )
        assert created.out.startswith(f"Created {shown}\nMigrated {shown}: ")
        assert pending["pending"] == []
        assert dropped.out == f"Dropped {shown}\n"


class TestRegistry:
    def test_show_prints_the_prices_that_came_with_the_package(self, llmring: Program) -> None:
        shown = llmring("registry", "show")
        facts = json.loads(llmring("registry", "show", "--json").out)

        row = next(line.split() for line in shown.out.splitlines() if "openai:gpt-4o-mini " in line)
        assert row == ["openai:gpt-4o-mini", "0.15", "0.6"]
        assert facts["status"]["source"] == "bundled"
        assert facts["models"]["openai:gpt-4o-mini"]["dollars_per_million_tokens_input"] == 0.15

    def test_diff_compares_the_first_version_with_nothing(self, llmring: Program) -> None:
        shown = llmring("registry", "diff", "--provider", "google")
        found = json.loads(llmring("registry", "diff", "--provider", "google", "--json").out)

        title, _, header, *rows = shown.out.splitlines()
        assert title == f"From nothing to 2026.08.18: changes: {len(rows)}"
        assert header.split() == ["CHANGE", "MODEL", "MEMBER", "OLD", "NEW"]
        assert "model.added  google:gemini-2.5-pro" in shown.out and "openai" not in shown.out
        assert (found["previous"], len(found["changes"])) == (None, len(rows))

    @pytest.mark.parametrize("command", ["show", "diff"])
    def test_a_reader_that_has_seen_enough_is_no_accident(
        self, llmring: Program, command: str
    ) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(  # noqa: S603  our own program
            llmring.command("registry", command),
            cwd=llmring.folder,
            env={"PYTHONPATH": str(SRC)},
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
        os.close(writing)

        assert (done.returncode, done.stderr) == (1, b"")

    @pytest.mark.parametrize("version", ["2020.01.01", "yesterday"])
    def test_diff_needs_versions_that_exist(self, llmring: Program, version: str) -> None:
        done = llmring("registry", "diff", version)

        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("Error: ") and done.err.count("\n") == 1

    def test_refresh_says_why_it_failed(self, llmring: Program) -> None:
        done = llmring(
            "registry", "refresh", LLMRING_REGISTRY_BASE_URL="http://127.0.0.1:1/registry"
        )

        assert done.code == 1
        assert "stays in force: " in done.err and done.err.count("\n") == 1


def test_the_program_says_its_version(llmring: Program) -> None:
    assert llmring("--version").out.startswith("llmring-server 0.")
