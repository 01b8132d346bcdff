"""Child processes that never outlive the tests, and the folders they work in."""

import fcntl
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tests.services import leash
from tests.services.search import Unusable

PREFIX = "llmring-tests-"
ATTEMPTS = 5  # another program may take a free port before we do
START_S = 60.0
STOP_S = 10.0
STALE_S = 10.0  # younger folders may be in the making


@contextmanager
def private_folder(base: Path | None = None) -> Iterator[Path]:
    """A temporary folder. What a killed run left behind is removed by the next one, here."""
    base = base or _base()
    _sweep(base)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
    in_use = os.open(folder, os.O_RDONLY)
    fcntl.flock(in_use, fcntl.LOCK_EX)  # the kernel lets go of it when we die
    try:
        if os.getuid() == 0:
            folder.chmod(0o755)  # the account the server runs as has to get through
        yield folder
    finally:
        shutil.rmtree(folder)
        os.close(in_use)


class Account(NamedTuple):
    """Who a program runs as."""

    uid: int
    gid: int


def ourselves() -> Account:
    return Account(os.getuid(), os.getgid())


def not_root() -> Account:
    """We ourselves; where that is root, whom PostgreSQL refuses, somebody without rights."""
    if os.getuid() != 0:
        return ourselves()
    for name in ("postgres", "nobody"):
        with suppress(KeyError):  # no such account; try the next
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise Unusable("Run as root, tests need an account named postgres or nobody for PostgreSQL.")


def open_to_all(path: Path) -> bool:
    """Whether any account of this machine gets through to ``path``."""
    return all(step.stat().st_mode & stat.S_IXOTH for step in (path, *path.parents))


def free_port() -> int:
    """A port nobody listens on, below those the system gives to outgoing connections."""
    for _ in range(1000):
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):  # taken; try the next
            probe.bind(("127.0.0.1", port))
            return port
    raise Unusable("No free port between 20000 and 32000 on 127.0.0.1.")


def on_free_port(start: Callable[[int], None]) -> int:
    """Call ``start`` with a free port, and again with another when that one was taken; the port."""
    for _ in range(ATTEMPTS):
        port = free_port()
        with suppress(PortTaken):
            start(port)
            return port
    raise Unusable(f"{ATTEMPTS} free ports in a row were taken before the server had them.")


class PortTaken(Unusable):
    """Another program listens there."""


class Server:
    """A program on a leash: started, waited for, stopped."""

    def __init__(self, folder: Path, name: str, account: Account) -> None:
        self._folder = folder
        self._name = name
        self._account = account
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise Unusable(f"{self._name} is not running.")
        return self._process.pid

    def launch(
        self,
        command: Sequence[str | Path],
        ready: Callable[[], bool],
        *,
        at_parents_end: signal.Signals = signal.SIGKILL,
    ) -> None:
        """Start ``command``; back when ``ready()``. Raises PortTaken, Unusable."""
        self._process = on_leash(
            command, self._folder, self._log, self._account, at_parents_end=at_parents_end
        )
        try:
            _wait_until(lambda: ready() or self._process_ended(), self._name)
        except BaseException:
            self.stop(signal.SIGKILL)
            raise
        if self._process_ended():
            self._process = None
            said = last_lines(self._log)
            kind = PortTaken if "Address already in use" in said else Unusable
            raise kind(f"{self._name} did not start:\n{said}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the program, by force when it takes too long. Harmless when it has ended."""
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _process_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None


def on_leash(
    command: Sequence[str | Path],
    folder: Path,
    log: Path,
    account: Account,
    *,
    at_parents_end: signal.Signals = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start ``command`` as ``account``; it ends with the thread that called, at the latest."""
    leashed = [sys.executable, "-I", "-S", leash.__file__]
    leashed += [str(number) for number in (os.getpid(), *account, int(at_parents_end))]
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603  our own words
            [*leashed, *map(str, command)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=_clean_environment(),
            start_new_session=True,  # Ctrl-C is for the tests; they stop the server
        )


def last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-10:])


def _clean_environment() -> dict[str, str]:
    """Ours, without what would point the servers at somebody else's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C"}


def _wait_until(done: Callable[[], bool], name: str) -> None:
    deadline = time.monotonic() + START_S
    while not done():
        if time.monotonic() > deadline:
            raise Unusable(f"{name} did not start within {START_S:.0f} seconds.")
        time.sleep(0.005)


def _base() -> Path:
    """The temporary folder; root, whose own may be closed to the server's account, takes /tmp."""
    usual = Path(tempfile.gettempdir())
    return usual if os.getuid() != 0 or open_to_all(usual) else Path("/tmp")  # noqa: S108


def _sweep(base: Path) -> None:
    for folder in base.glob(f"{PREFIX}*"):
        with suppress(FileNotFoundError, BlockingIOError):  # swept by another run, or in use
            about = folder.lstat()
            if about.st_uid == os.getuid() and time.time() - about.st_mtime > STALE_S:
                _remove_unless_in_use(folder)


def _remove_unless_in_use(folder: Path) -> None:
    """Raises BlockingIOError when its owner lives."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(descriptor)
