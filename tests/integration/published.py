"""Published packages, each installed in a virtual environment of its own, as its users do."""

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

INSTALL_S = 300.0


def installed(package: str, config: pytest.Config, folders: pytest.TempPathFactory) -> Path:
    """Return where the programs of ``package`` are, such as ``llmring==1.4.0``.

    It is installed once, beside pytest's cache. Skips without package index.
    """
    cache = getattr(config, "cache", None)
    base = Path(folders.getbasetemp() if cache is None else cache.mkdir("published"))
    folder = base / package.replace("==", "-")
    with _alone(base / "lock"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            problem = _problem(package, folder)
            if problem:
                pytest.skip(f"{package} was not tried: it could not be installed ({problem}).")
            (folder / "complete").touch()
    return folder / "bin"


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Parallel test processes install one after the other."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _problem(package: str, folder: Path) -> str:
    """Install the client with uv, or else with pip; the reason when neither can."""
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    python = str(folder / "bin" / "python")
    make = [sys.executable, "-m", "venv", str(folder)]
    quick = [[*make, "--without-pip"], [uv or "", "pip", "install", "--python", python, package]]
    pip = [python, "-m", "pip", "install", "--retries", "1", "--timeout", "15", package]
    ways = [quick, [make, pip]] if uv else [[make, pip]]
    problem = ""
    for way in ways:
        for command in way:
            problem = _problem_with(command)
            if problem:
                break
        else:
            return ""
    return problem


def _problem_with(command: list[str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603  our own words
            command, capture_output=True, text=True, timeout=INSTALL_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {INSTALL_S:.0f} s"
    lines = done.stderr.strip().splitlines() or ["no reason given"]
    return lines[-1] if done.returncode else ""
