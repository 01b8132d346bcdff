"""The witness as its operator runs it: a process in a folder, spoken to over sockets."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from llmring_core.transparency import NoteKey, note_key
from tests.integration.server import (
    COMPLAINTS,
    NO_TLS,
    START_S,
    STOP_S,
    environment,
    program,
    run,
)
from tests.services import leash
from tests.services.processes import free_port, last_lines, ourselves

NAME = "witness.example/w1"


class RunningWitness:
    """``llmring-server witness run`` on a port it keeps when it is started again."""

    def __init__(self, folder: Path, log: NoteKey) -> None:
        self._folder = folder
        self._log = log
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.key = note_key(run(folder, "witness", "key", "--name", NAME))

    @property
    def setting(self) -> str:
        """What a server that it watches is told."""
        return f"{self._url}={self.key.text}"

    @property
    def said(self) -> str:
        return self._said.read_text()

    def ask(self, body: bytes) -> httpx.Response:
        with httpx.Client(base_url=self._url, verify=NO_TLS, trust_env=False) as http:
            return http.post("/add-checkpoint", content=body)

    def get(self, path: str) -> httpx.Response:
        with httpx.Client(base_url=self._url, verify=NO_TLS, trust_env=False) as http:
            return http.get(path)

    def start(self) -> None:
        """Back once it answers."""
        me = (os.getpid(), *ourselves(), int(signal.SIGKILL))
        leashed = [sys.executable, "-I", "-S", leash.__file__, *map(str, me)]
        words = ("witness", "run", "--name", NAME, "--log", self._log.text)
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(  # noqa: S603  our own words
                [*leashed, *program(*words, "--listen", f"127.0.0.1:{self._port}")],
                cwd=self._folder,
                env=environment(self._folder, {}),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, last_lines(self._said)
            assert time.monotonic() < deadline, last_lines(self._said)
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as by ``kill -9``: it gets to do nothing any more."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Ask it to stop as a service manager does; it must obey, and without complaint."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            code = process.wait(STOP_S)
        finally:
            process.kill()
            process.wait()
        assert code == 0, self.said
        assert not COMPLAINTS.search(self.said), self.said

    def _answers(self) -> bool:
        try:
            return self.get("/public-key").status_code == 200
        except httpx.TransportError:  # not yet
            return False

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def _said(self) -> Path:
        return self._folder / "witness.log"


@contextmanager
def watching(folder: Path, log: NoteKey) -> Iterator[RunningWitness]:
    """A witness of ``log``; it must stop in order when the block is left."""
    witness = RunningWitness(folder, log)
    witness.start()
    try:
        yield witness
    finally:
        witness.stop()
