"""Events in a file, one JSON object in a line."""

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from llmring_core.gateway.events import CallEvent, file_form

# At the end of whatever is there; and where nobody reads a pipe, nobody waits for it.
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
MODE = 0o600  # of a new file: it holds what people asked and were answered

log = logging.getLogger(__name__)


class EventFile:
    """Opened anew for each write, so that it may be moved away at any time. Blocks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_failing = False  # one outage is one line of the log
        self._is_torn = False  # the file ends within a line
        self.written = 0  # events
        self.lost = 0  # events that could not be written

    def check(self) -> None:
        """Make the file where there is none. Raises OSError when it cannot be written to."""
        os.close(os.open(self._path, FLAGS, MODE))
        self._is_torn = _ends_within_a_line(self._path)

    def write(self, events: Sequence[CallEvent]) -> None:
        """Append ``events``. What finds no room is counted as lost, and the log says so once."""
        lines = b"".join(file_form(event) + b"\n" for event in events)
        ended = b"\n" if self._is_torn else b""
        count, error = self._appended(ended + lines)
        whole = lines[: max(0, count - len(ended))]
        if count > 0:
            self._is_torn = bool(whole) and not whole.endswith(b"\n")
        self.written += whole.count(b"\n")
        self.lost += len(events) - whole.count(b"\n")
        self._say(error)

    def _appended(self, data: bytes) -> tuple[int, OSError | None]:
        """Return how many bytes were written, and why not all of them."""
        count = 0
        try:
            descriptor = os.open(self._path, FLAGS, MODE)
            try:
                while count < len(data):
                    count += os.write(descriptor, data[count:])
            finally:
                os.close(descriptor)
        except OSError as error:
            return count, error
        return count, None

    def _say(self, error: OSError | None) -> None:
        if error is not None and not self._is_failing:
            reason = os.strerror(error.errno or 0)
            log.error("events are lost: %s cannot be written: %s", self._path, reason)
        self._is_failing = error is not None


def _ends_within_a_line(path: Path) -> bool:
    """Tell whether an earlier server could not finish its last line."""
    with suppress(OSError):  # it may be empty, or only be written to
        if path.is_file():
            with path.open("rb") as file:
                file.seek(-1, os.SEEK_END)
                return file.read(1) != b"\n"
    return False
