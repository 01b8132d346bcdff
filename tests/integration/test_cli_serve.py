"""``llmring-server serve``: a real process on a real port, started and stopped."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.server import NO_TLS
from tests.integration.test_cli import SRC, Program

PATIENCE_S = 30
CALL = {"provider": "openai", "model": "gpt-4o-mini", "input_tokens": 1000, "output_tokens": 200}

Serve = Callable[..., "Running"]


class Running:
    """A server that was started, on a free port."""

    def __init__(self, folder: Path, *args: str, **environment: str) -> None:
        self.process = subprocess.Popen(  # noqa: S603  our own program
            Program.command(*args, "--port", "0"),
            cwd=folder,
            env={"PYTHONPATH": str(SRC), "LLMRING_REGISTRY_REFRESH_S": "0"} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.greeting = self.process.stdout.readline()
        self.url = self.greeting.split(" on ")[1].split()[0]

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=PATIENCE_S, verify=NO_TLS, trust_env=False)

    def post(self, path: str, body: object, headers: dict[str, str]) -> httpx.Response:
        url = self.url + path
        return httpx.post(url, json=body, headers=headers, verify=NO_TLS, trust_env=False)

    def stop(self, by: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Ask it to stop; return its exit code and what it said on standard error."""
        self.process.send_signal(by)
        _, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, err


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    started: list[Running] = []

    def start(*args: str, **environment: str) -> Running:
        started.append(Running(tmp_path, *args, **environment))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop(signal.SIGKILL)


@pytest.fixture
def llmring(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_answers_and_stops_without_complaint(serve: Serve, by: signal.Signals) -> None:
    server = serve("serve")

    health = server.get("/health")
    code, err = server.stop(by)

    assert (health.status_code, health.json()["status"]) == (200, "healthy")
    assert (code, err) == (0, "")


def test_is_what_the_program_does_without_a_command(serve: Serve) -> None:
    server = serve()

    assert server.get("/health").status_code == 200
    assert "server" not in server.get("/health").headers


def test_reloads_when_asked_the_old_way(serve: Serve) -> None:
    server = serve("--reload")

    assert server.get("/health").status_code == 200
    assert server.stop() == (0, "")


def test_several_workers_share_a_postgresql_database(serve: Serve, fresh_postgres: str) -> None:
    server = serve("serve", "--workers", "2", LLMRING_DATABASE_URL=fresh_postgres)

    assert server.get("/health").json()["database"] == "connected"
    assert server.stop() == (0, "")


def test_in_keys_mode_only_issued_keys_open_it(serve: Serve, llmring: Program) -> None:
    key = llmring("keys", "create", "--project", "demo").out.strip()
    server = serve("serve", LLMRING_AUTH="keys")

    def log(key: str) -> int:
        return server.post("/api/v1/log", CALL, {"X-API-Key": key}).status_code

    assert (log(key), log("made-up")) == (200, 401)


def test_a_port_in_use_is_one_clear_line(llmring: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        done = llmring("serve", "--port", port)

    assert done.code == 1
    assert done.err == (
        f"Error: cannot listen on 127.0.0.1 port {port}: Address already in use; "
        "choose another --host or --port\n"
    )


def test_open_mode_stays_on_this_machine(llmring: Program) -> None:
    done = llmring("serve", "--host", "0.0.0.0")  # noqa: S104

    assert done.code == 1
    assert done.err == (
        "Error: in open mode whoever reaches 0.0.0.0 may use this server; "
        "set LLMRING_AUTH=keys, or LLMRING_OPEN_TO_NETWORK=true if that is what you want\n"
    )
    assert not any(llmring.folder.iterdir())


@pytest.mark.parametrize(
    "environment", [{"LLMRING_AUTH": "keys"}, {"LLMRING_OPEN_TO_NETWORK": "true"}]
)
def test_other_machines_may_come_in_when_that_was_said(
    serve: Serve, environment: dict[str, str]
) -> None:
    server = serve("serve", "--host", "0.0.0.0", **environment)  # noqa: S104

    assert server.url.startswith("http://0.0.0.0:")


def test_sqlite_has_one_writer(llmring: Program) -> None:
    done = llmring("serve", "--workers", "2")

    assert done.code == 1
    assert done.err.startswith("Error: SQLite has one writer; use --workers 1")


def test_production_needs_a_database_url(llmring: Program) -> None:
    done = llmring("serve", "--env", "prod")

    assert done.code == 1
    assert done.err == "Error: LLMRING_DATABASE_URL must be set for production\n"


def test_the_test_environment_serves_another_file(serve: Serve, tmp_path: Path) -> None:
    server = serve("serve", "--env", "test")

    assert server.get("/health").status_code == 200
    assert {path.stem for path in tmp_path.iterdir()} == {
        *("llmring_test", "llmring-receipts", "llmring-log")
    }


def test_a_failed_refresh_is_one_line_and_no_more(serve: Serve) -> None:
    server = serve(
        "serve",
        LLMRING_REGISTRY_REFRESH_S="3600",
        LLMRING_REGISTRY_BASE_URL="http://127.0.0.1:1/",
    )

    answers = [server.get("/health").status_code]
    time.sleep(0.5)
    code, err = server.stop()

    assert (answers, code) == ([200], 0)
    assert err.count("\n") == 1 and "stays in force" in err
