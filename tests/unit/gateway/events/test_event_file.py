"""Events in a file: only ours to read, and whole lines whatever the disk does."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit

import pytest
from msgspec import DecodeError, json

from llmring_adapters.gateway.event_file import EventFile
from llmring_core.gateway.events import file_form
from tests.builders.events import events

LINE = len(file_form(events(1)[0])) + 1  # bytes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file grow beyond ``size`` bytes: what a full disk looks like to us."""
    before = getrlimit(RLIMIT_FSIZE)
    setrlimit(RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        setrlimit(RLIMIT_FSIZE, before)


def names_in(path: Path) -> list[str]:
    """Return the request ids of all lines; of one that was cut, ``cut``."""
    return [name_of(line) for line in path.read_bytes().splitlines()]


def name_of(line: bytes) -> str:
    try:
        return str(json.decode(line)["request_id"])
    except DecodeError:
        return "cut"


def test_only_its_owner_reads_it(path: Path) -> None:
    before = os.umask(0)
    try:
        EventFile(path).check()
    finally:
        os.umask(before)

    assert path.stat().st_mode & 0o777 == 0o600 and path.read_bytes() == b""


def test_lines_follow_what_is_there(path: Path) -> None:
    for _ in range(2):
        file = EventFile(path)
        file.check()
        file.write(events(2))

    assert names_in(path) == ["r-0", "r-1"] * 2
    assert (file.written, file.lost) == (2, 0)


def test_it_may_be_moved_away_at_any_time(path: Path) -> None:
    file = EventFile(path)
    file.write(events(1))
    path.rename(path.with_suffix(".1"))
    file.write(events(2))

    assert names_in(path) == ["r-0", "r-1"]


def test_a_full_disk_loses_events_and_says_so_once(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = EventFile(path)
    with room_for(2 * LINE + LINE // 2):
        file.write(events(4))
        file.write(events(4))
    assert (file.written, file.lost) == (2, 6)
    file.write(events(3))

    assert names_in(path) == ["r-0", "r-1", "cut", "r-0", "r-1", "r-2"]
    assert (file.written, file.lost) == (5, 6)
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"events are lost: {path} cannot be written: File too large"]
    assert caplog.records[0].levelno == logging.ERROR


def test_each_outage_is_a_line_of_the_log(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = EventFile(path)
    for _ in range(2):
        with room_for(0):
            file.write(events(1))
            path.unlink()
        file.write(events(1))

    assert len(caplog.records) == 2 and (file.written, file.lost) == (2, 2)


def test_a_line_that_an_earlier_server_left_is_ended(path: Path) -> None:
    path.write_bytes(b'{"request_id":')
    file = EventFile(path)
    file.check()
    file.write(events(1))

    assert names_in(path) == ["cut", "r-0"]


def test_a_pipe_that_nobody_reads_keeps_nobody_waiting(path: Path) -> None:
    os.mkfifo(path)
    file = EventFile(path)

    with pytest.raises(OSError, match="No such device"):
        file.check()
    file.write(events(1))

    assert file.lost == 1
