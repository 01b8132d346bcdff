"""The answers: one table, on the screen and in ``docs/benchmarks.md``."""

import os
import platform
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from bench.load import Load

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
GB = 1024**3
HEAD = (
    "figure",
    "target",
    "measured",
    "reached",
    "requests/s",
    "p50 ms",
    "p99 ms",
    "CPU ms/request",
    "RSS MB",
    "floors of the same run",
)


class Row(Struct, frozen=True, kw_only=True):
    """One figure."""

    figure: str
    target: str = ""
    measured: str = ""
    reached: bool | None = None  # None: there is no target, or nothing to compare with it
    load: Load | None = None
    cpu_ms: float | None = None  # of the server, each request
    rss_mb: float | None = None  # of the server, at the end
    floor: str = ""
    wrong: bool = False  # it could not be measured, or what is stored is not what was said

    def cells(self) -> list[str]:
        load = self.load
        refusals = load.refusals if load else ""
        return [
            self.figure,
            self.target,
            f"{self.measured} ({refusals})" if refusals else self.measured,
            "" if self.reached is None else "yes" if self.reached else "no",
            f"{load.per_second:,.0f}" if load else "",
            f"{load.p50_ms:.2f}" if load else "",
            f"{load.p99_ms:.2f}" if load else "",
            "" if self.cpu_ms is None else f"{self.cpu_ms:.3f}",
            "" if self.rss_mb is None else f"{self.rss_mb:.0f}",
            self.floor,
        ]


def markdown(rows: Sequence[Row]) -> str:
    """Return the table, its columns aligned, so that it can be read on a screen too."""
    cells = [list(HEAD), *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| "
        + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True))
        + " |"
        for line in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def circumstances(postgres: str | None) -> str:
    """Return when, of what and on what this run is."""
    load = os.getloadavg()[0]
    return "\n".join(
        [
            f"- {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, commit {_commit()}",
            f"- {os.cpu_count()} cores ({_processor()}), {_memory_gb():.0f} GB, "
            f"{platform.system()} {platform.release()}; "
            f"load average of the minute before the run {load:.2f}",
            f"- Python {platform.python_version()}, PostgreSQL {postgres or 'not available'}",
        ]
    )


def write(title: str, text: str) -> None:
    """Put ``text`` under that heading of the page, in place of what was there."""
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else "# Benchmarks\n"
    section = f"## {title}\n\n{text}\n"
    there = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if there.search(page):
        page = there.sub(lambda _: section + "\n", page)
    else:
        page = f"{page.rstrip()}\n\n{section}"
    PAGE.write_text(page.rstrip() + "\n", encoding="utf-8")


def _commit() -> str:
    commit, changes = _git("rev-parse", "--short", "HEAD"), _git("status", "--porcelain")
    return f"{commit or 'unknown'}{' with uncommitted changes' if changes else ''}"


def _git(*words: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603  our own words
            ["git", *words],  # noqa: S607  whichever is on the path
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GB
