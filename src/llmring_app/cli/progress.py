"""How far a long command has come, on standard error: a bar on a terminal, else plain lines."""

import sys
from time import monotonic

WIDTH = 30  # characters of the bar
BAR_EVERY_S = 0.1
LINE_EVERY_S = 5.0


class Progress:
    """Shows how much is done; ``total`` is None when nobody knows how much there is."""

    def __init__(self, what: str, total: int | None = None) -> None:
        self._what = what
        self._total = total
        self._terminal = sys.stderr.isatty()
        self._shown_at = monotonic()
        self._shown = False

    def show(self, done: int, text: str) -> None:
        """Say ``text``, now and then; ``done`` is the part of the total that is done."""
        every_s = BAR_EVERY_S if self._terminal else LINE_EVERY_S
        if monotonic() - self._shown_at < every_s:
            return
        self._shown_at = monotonic()
        self._shown = True
        line = f"{self._what} {self._bar(done)}{text}"
        print(f"\r{line}\x1b[K" if self._terminal else line, end=self._end, file=sys.stderr)
        sys.stderr.flush()

    def close(self) -> None:
        """Take the bar away again."""
        if self._terminal and self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    @property
    def _end(self) -> str:
        return "" if self._terminal else "\n"

    def _bar(self, done: int) -> str:
        if not self._total:
            return ""
        share = min(done / self._total, 1)
        if not self._terminal:
            return f"{share:.0%} "
        filled = round(share * WIDTH)
        return f"[{'#' * filled}{'.' * (WIDTH - filled)}] {share:4.0%} "
