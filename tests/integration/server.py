"""The program as a user runs it: a process in an empty folder, spoken to over sockets."""

import asyncio
import os
import re
import secrets
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from msgspec import json

from tests.services import leash
from tests.services.processes import ATTEMPTS, PortTaken, free_port, last_lines, ourselves
from tests.services.search import Unusable

ROOT = Path(__file__).parents[2]
START_S = 60.0
STOP_S = 30.0
COMPLAINTS = re.compile(r"Traceback|\w+Warning\b|unexpected error|never awaited")
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # making httpx's own takes longer than a request


class RunningServer:
    """``llmring-server serve`` on a port of its own, with nothing in its environment but ours."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self.http = httpx.Client(verify=NO_TLS, trust_env=False, timeout=30)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self._port

    @property
    def pid(self) -> int:
        assert self._process is not None, "it is not running"
        return self._process.pid

    @property
    def said(self) -> str:
        """Everything it wrote so far, to standard output and standard error."""
        return self._log("out").read_text() + self._log("err").read_text()

    def launch(self) -> None:
        """Start the process, and do not wait for it. It ends with the thread that called."""
        self._port = free_port()
        self.http.base_url = httpx.URL(self.url)
        me = (os.getpid(), *ourselves(), int(signal.SIGKILL))
        leashed = [sys.executable, "-I", "-S", leash.__file__, *map(str, me)]
        with self._log("out").open("wb") as out, self._log("err").open("wb") as err:
            self._process = subprocess.Popen(  # noqa: S603  our own words
                [*leashed, *program("serve", "--port", str(self._port))],
                cwd=self.folder,
                env=environment(self.folder, self._settings),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Raises Unusable with what the server said when it does not start."""
        for _ in range(ATTEMPTS):
            with suppress(PortTaken):  # another program was faster; take another port
                self._wait()
                return
            self.launch()
        raise Unusable("every free port was taken before the server had it")

    def stop(self) -> None:
        """Ask the server to stop as a service manager does; it must obey, and without complaint."""
        process = self._process
        if process is None:
            return
        self._process = None
        self.http.close()
        process.terminate()
        try:
            code = process.wait(STOP_S)
        finally:
            process.kill()
            process.wait()
        complaints = self._log("err").read_text()
        assert code == 0, f"exit code {code} after SIGTERM:\n{complaints}"
        assert not COMPLAINTS.search(complaints), complaints

    def kill(self) -> None:
        """End it as by ``kill -9``: it gets to do nothing any more."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self.http.close()

    def tenant(self) -> "Tenant":
        """A project nobody has used before."""
        return Tenant(self, f"llmr_pk_{secrets.token_hex(16)}")

    def _wait(self) -> None:
        deadline = time.monotonic() + START_S
        while not self._is_ready():
            if self._process is None or self._process.poll() is not None:
                said = last_lines(self._log("err"))
                raise (PortTaken if "Address already in use" in said else Unusable)(said)
            if time.monotonic() > deadline:
                raise Unusable(f"not ready after {START_S:.0f} s:\n{self.said}")
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        try:
            return self.http.get("/health/ready").status_code == 200
        except httpx.TransportError:  # not yet
            return False

    def _log(self, stream: str) -> Path:
        return self.folder / f"server-{id(self)}.{stream}"


@dataclass(frozen=True, slots=True)
class Tenant:
    """One API key on a running server, and so one project of its own."""

    server: RunningServer
    key: str

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.server.http.get(path, headers=self.headers | _named(headers))

    def post(self, body: object, **headers: str) -> httpx.Response:
        """Send ``body`` to ``/api/v1/log``: bytes as they are, all else as JSON."""
        content = body if isinstance(body, bytes) else json.encode(body)
        sent = self.headers | {"Content-Type": "application/json"} | _named(headers)
        return self.server.http.post("/api/v1/log", content=content, headers=sent)

    def log(self, **fields: Any) -> dict[str, Any]:
        """Log a call that the server must take; ``fields`` beside or in place of usual ones."""
        answer = self.post(call(**fields))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def logs(self, query: str = "") -> list[dict[str, Any]]:
        answer = self.get(f"/api/v1/logs?{query}")
        assert answer.status_code == 200, answer.text
        return list(answer.json())

    def stats(self, query: str = "") -> dict[str, Any]:
        answer = self.get(f"/api/v1/stats?{query}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    @property
    def headers(self) -> dict[str, str]:
        return {"X-API-Key": self.key}


def call(**fields: Any) -> dict[str, Any]:
    """A call as clients log it, with ``fields`` in place of the usual ones."""
    usual = {"provider": "openai", "model": "gpt-4.1", "input_tokens": 1000, "output_tokens": 200}
    return usual | fields


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[RunningServer]:
    """A server with these ``LLMRING_`` settings; it must stop in order when the block is left."""
    server = RunningServer(folder, **settings)
    server.launch()
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


def run(folder: Path, *words: str, **settings: str) -> str:
    """What a command prints to standard output; it must succeed."""
    done = subprocess.run(  # noqa: S603  our own words
        program(*words),
        cwd=folder,
        env=environment(folder, settings),
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def program(*words: str) -> list[str]:
    return [sys.executable, "-m", "llmring_app", *words]


def environment(folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    ours = {f"LLMRING_{name.upper()}": value for name, value in settings.items()}
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONWARNINGS": "default",  # shown, and then ``stop`` complains
        "LLMRING_REGISTRY_REFRESH_S": "0",  # tests do not ask the internet for prices
    } | ours


class RawAnswer(NamedTuple):
    status: int  # 0: the connection was closed without an answer
    headers: dict[str, str]  # lower-case names
    body: bytes


async def raw(server: RunningServer, request: bytes) -> RawAnswer:
    """Send bytes that no HTTP library would, and read the answer until the server closes."""
    reader, writer = await asyncio.open_connection(*server.address)
    answer = bytearray()
    try:
        writer.write(request)
        with suppress(ConnectionError):  # it may refuse and close before it has read everything
            async with asyncio.timeout(30):
                while piece := await reader.read(2**16):
                    answer += piece
        return _parsed(bytes(answer))
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def raw_request(method: str, path: str, *headers: bytes, body: bytes = b"") -> bytes:
    """A request whose every line is given as bytes; the connection is closed after the answer."""
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: test", b"Connection: close", *headers]
    if body:
        lines += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _parsed(answer: bytes) -> RawAnswer:
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head:
        return RawAnswer(0, {}, b"")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return RawAnswer(int(status.split(" ")[1]), headers, body)


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
