"""The processes under measurement: started as a user would, watched from outside, always ended."""

import http.client
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from types import MappingProxyType

from tests.services.processes import Server, on_free_port, ourselves, private_folder

from bench.load import HOST

ROOT = Path(__file__).parents[1]
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
ANSWER_S = 60.0
MB = 1024 * 1024
FIRST_CALL = b'{"provider":"openai","model":"gpt-4o-mini","input_tokens":1000,"output_tokens":200}'


class Program:
    """A server of our own on a port of its own, in a folder that goes with it."""

    def __init__(self, folder: Path, name: str, command: Sequence[str], ready: "Ready") -> None:
        self.folder = folder
        self.port = 0
        self.started_in_s = 0.0  # from the start of the process to the first answer
        self._server = Server(folder, name, ourselves())
        self._command = command
        self._ready = ready
        on_free_port(self._start)

    def stop(self) -> None:
        self._server.stop()

    def cpu_s(self) -> float:
        """Return the processor time used so far, by all its threads."""
        stat = Path(f"/proc/{self._server.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / TICKS_A_SECOND

    def rss_mb(self) -> float:
        pages = Path(f"/proc/{self._server.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / MB

    def peak_rss_mb(self) -> float:
        """Return the most memory it has had at any time."""
        status = Path(f"/proc/{self._server.pid}/status").read_text()
        kilobytes = status.partition("VmHWM:")[2].split()[0]
        return int(kilobytes) * 1024 / MB

    def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> tuple[int, bytes]:
        """Return the status and the body of one answer. Raises OSError."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=ANSWER_S)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _start(self, port: int) -> None:
        self.port = port
        start = perf_counter()
        self._server.launch([*self._command, "--port", str(port)], self._is_ready)
        self.started_in_s = perf_counter() - start

    def _is_ready(self) -> bool:
        try:
            return self._ready(self)
        except ConnectionError:  # not yet
            return False


Ready = Callable[[Program], bool]


@contextmanager
def llmring(
    database_url: str | None = None,
    ready: Ready | None = None,
    more: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Program]:
    """``llmring-server serve`` in an empty folder, told its database and ``more``, if that.

    The registry is the one that comes with it, and is not refreshed: prices must not change
    in the middle.
    """
    settings = {"LLMRING_REGISTRY_REFRESH_S": "0"} | dict(more)
    if database_url is not None:
        settings["LLMRING_DATABASE_URL"] = database_url
    with private_folder() as folder:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(ROOT / "src"),
        } | settings
        command = [shutil.which("env") or "env", "-i"]
        command += [f"{name}={value}" for name, value in environment.items()]
        command += [sys.executable, "-m", "llmring_app", "serve"]
        with _running(folder, "llmring-server", command, ready or _is_healthy) as program:
            yield program


@contextmanager
def empty_server(kind: str) -> Iterator[Program]:
    """Run a server that does nothing; ``kind`` is one of those in ``empty.py``."""
    with own_server("empty", kind) as program:
        yield program


@contextmanager
def own_server(module: str, *args: str) -> Iterator[Program]:
    """Run a server of the benchmark's own."""
    with private_folder() as folder:
        command = [shutil.which("env") or "env", f"PYTHONPATH={ROOT}"]
        command += [sys.executable, "-m", f"bench.{module}", *args]
        with _running(folder, module, command, _accepts) as program:
            yield program


def logs_a_call(program: Program) -> bool:
    """Whether the server has answered its first call; until it can, the call waits."""
    headers = {"Content-Type": "application/json", "X-API-Key": "llmr_pk_benchmark_first"}
    return program.ask("POST", "/api/v1/log", headers, FIRST_CALL)[0] == 200


@contextmanager
def _running(folder: Path, name: str, command: list[str], ready: Ready) -> Iterator[Program]:
    program = Program(folder, name, command, ready)
    try:
        yield program
    finally:
        program.stop()


def _is_healthy(program: Program) -> bool:
    return program.ask("GET", "/health/ready", {})[0] == 200


def _accepts(program: Program) -> bool:
    with socket.create_connection((HOST, program.port), timeout=1):
        return True
