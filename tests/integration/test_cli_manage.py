"""``llmring-server manage`` against a running server; in this process, which is as good."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from llmring_adapters.gateway.vault import LocalVault, encryption_key_id
from llmring_app.cli.main import main
from llmring_app.encryption_keys import encryption_keys
from llmring_app.settings import Settings
from tests.integration.manager import KEY, NOBODY, SHOWN, TOKEN, Manager
from tests.integration.server import run

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def manage(
    managed_on_sqlite: Manager,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Run ``llmring-server manage`` with these words; return its code and what it printed."""
    monkeypatch.chdir(tmp_path)  # no .env
    monkeypatch.setenv("MANAGEMENT_API_BASE_URL", managed_on_sqlite.server.url)
    monkeypatch.setenv("MANAGEMENT_TOKEN", TOKEN)

    def command(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["manage", *words])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command


def made(manage: Command, name: str) -> str:
    code, out, _ = manage("project", "create", "--name", name, "--openai-key", KEY, "--json")
    assert code == 0 and json.loads(out)["api_key"] == SHOWN
    return str(json.loads(out)["id"])


class TestProjects:
    def test_are_made_changed_and_printed(self, manage: Command) -> None:
        id = made(manage, "cli-one")
        code, out, _ = manage("project", "update", id, "--name", "cli-two", "--api-key", "abcdef")
        lines = out.splitlines()
        assert code == 0 and lines[:4] == [
            f"ID: {id}",
            "Name: cli-two",
            "API Key: ab****",
            "Active: yes",
        ]
        assert manage("project", "get", id)[1] == out
        _, table, _ = manage("project", "list")
        header, *rows = table.splitlines()
        titles = "ID NAME API KEY IS ACTIVE CREATED UPDATED FALLBACKS ISSUES RECEIPTS"
        assert header.split() == titles.split()
        (row,) = [row for row in rows if row.startswith(id)]
        assert row.index("cli-two") == header.index("NAME") and KEY not in table

    def test_have_an_order_of_providers_and_receipts(self, manage: Command) -> None:
        id = made(manage, "cli-order")
        words = ("--fallback", "openai", "--fallback", "groq", "--receipts")
        _, out, _ = manage("project", "update", id, *words)
        assert out.splitlines()[-2:] == ["Fallbacks: openai, groq", "Receipts: yes"]
        _, table, _ = manage("project", "list")
        (row,) = [row for row in table.splitlines() if row.startswith(id)]
        assert row.split()[-3:] == ["openai,", "groq", "yes"]
        _, out, _ = manage("project", "update", id, "--name", "cli-order-2", "--json")
        kept = json.loads(out)
        assert (kept["fallbacks"], kept["issues_receipts"]) == (["openai", "groq"], True)
        words = ("--no-fallback", "--no-receipts", "--json")
        after = json.loads(manage("project", "update", id, *words)[1])
        assert (after["fallbacks"], after["issues_receipts"]) == ([], False)

    def test_are_made_with_all_of_it(self, manage: Command) -> None:
        words = ("--name", "cli-whole", "--api-key", KEY, "--fallback", "groq", "--receipts")
        _, out, _ = manage("project", "create", *words, "--json")
        whole = json.loads(out)
        assert (whole["fallbacks"], whole["issues_receipts"]) == (["groq"], True)

    def test_say_which_setting_is_wrong(self, manage: Command) -> None:
        id = made(manage, "cli-wrong")
        code, _, said = manage("project", "update", id, "--fallback", "Open AI")
        assert code == 1 and said.startswith("Error: HTTP 400: fallbacks: must name a provider")

    def test_that_may_not_be_deleted_are_one_clear_line(self, manage: Command) -> None:
        code, out, said = manage("project", "delete", made(manage, "cli-kept"))
        assert (code, out, said) == (1, "", "Error: HTTP 405: method not allowed\n")

    def test_need_something_to_change(self, manage: Command) -> None:
        assert manage("project", "update", NOBODY)[0] == 1


class TestTokens:
    def test_live_from_generation_to_revocation(self, manage: Command) -> None:
        project = made(manage, "cli-tokens")
        words = ("--project-id", project, "--duration", "24h", "--max-requests", "5")
        _, out, _ = manage("token", "generate", *words)
        titles = [line.partition(":")[0] for line in out.splitlines()]
        assert titles == ["Token", "Obfuscated", "ID", "Expires at"]
        token = json.loads(manage("token", "generate", *words, "--json")[1])
        _, found, _ = manage("token", "get", token["id"], "--json")
        assert json.loads(found)["max_requests"] == 5
        assert manage("token", "revoke", token["id"])[1] == f"Revoked {token['id']}\n"
        _, listed, _ = manage("token", "list", "--project-id", project)
        assert token["id"] in listed and token["token"] not in listed
        _, active, _ = manage("token", "list", "--project-id", project, "--active-only")
        assert token["id"] not in active and len(active.splitlines()) == 2
        assert "is_active: no" in manage("token", "get", token["id"])[1]

    @pytest.mark.parametrize("duration", ["1.5h", "-1", "1w", "", "٣"])
    def test_live_for_a_time_that_is_one(
        self, manage: Command, duration: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit):
            manage("token", "generate", "--project-id", NOBODY, f"--duration={duration}")
        assert "must be minutes" in capsys.readouterr().err

    def test_of_nobodys_project_are_refused(self, manage: Command) -> None:
        code, _, said = manage("token", "generate", "--project-id", NOBODY)
        assert (code, said) == (1, "Error: HTTP 404: project not found\n")


class TestAudit:
    def test_is_listed_and_printed(self, manage: Command) -> None:
        project = made(manage, "cli-audit")
        words = ("--project-id", project, "--action", "project.create", "--page-size", "1")
        code, table, aside = manage("audit", "list", *words)
        header, row = table.splitlines()
        assert code == 0 and aside == "Page 1 of 1; 1 events in all\n"
        assert header.split() == [
            "ID",
            "TIMESTAMP",
            "ACTION",
            "OUTCOME",
            "ACTOR",
            "CLIENT",
            "IP",
            "REASON",
        ]
        assert row.index("project.create") == header.index("ACTION")
        found = json.loads(manage("audit", "list", *words, "--json")[1])
        assert found["pagination"]["total_count"] == 1
        (event,) = found["events"]
        assert json.loads(manage("audit", "get", event["id"], "--json")[1]) == event
        lines = manage("audit", "get", event["id"])[1].splitlines()
        assert f"project_id: {project}" in lines and "outcome: success" in lines

    def test_may_be_empty_or_refused(self, manage: Command) -> None:
        code, table, aside = manage("audit", "list", "--search", "nothing-like-it")
        assert (code, len(table.splitlines())) == (0, 1)
        assert aside == "Page 1 of 0; 0 events in all\n"
        _, _, said = manage("audit", "list", "--page", "0")
        assert said.startswith("Error: HTTP 400: page: ")
        assert manage("audit", "get", NOBODY)[2] == "Error: HTTP 404: audit event not found\n"


class TestReaching:
    def test_needs_the_token(self, manage: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        wrong = manage("project", "list", "--management-token", "another")
        assert wrong == (1, "", "Error: HTTP 401: invalid management token\n")
        monkeypatch.delenv("MANAGEMENT_TOKEN")
        code, _, said = manage("project", "list")
        assert code == 1 and said.startswith("Error: set LLMRING_MANAGEMENT_TOKEN")

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1", "ftp://h", "nonsense", "http://[::"])
    def test_says_when_nobody_answers(self, manage: Command, url: str) -> None:
        code, _, said = manage("project", "list", "--manage-api-base-url", url)
        assert code == 1 and said.startswith(f"Error: {url} does not answer: ")
        assert said.count("\n") == 1


def test_rotation_encrypts_anew_beside_a_running_server(
    manage: Command, managed_on_sqlite: Manager
) -> None:
    made(manage, "cli-rotated")
    folder = managed_on_sqlite.server.folder
    settings = Settings(encryption_key_file=str(folder / "llmring-encryption.key"))
    before = encryption_keys(settings, lambda: b"")
    counted = json.loads(run(folder, "keys", "rotate-encryption", "--json"))["provider_keys"]
    after = encryption_keys(settings, lambda: b"")

    assert after[1:] == before and counted >= 1
    assert LocalVault(lambda: after).seal("x", "").key_id == encryption_key_id(after[0])
    assert len(json.loads(manage("project", "list", "--json")[1])) >= 1
    made(manage, "cli-after-rotation")
