"""Files of usage: lines of JSON, or CSV with a header, as exports write them."""

import csv
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO

from msgspec import Raw, json

from llmring_app.errors import CannotStart
from llmring_http.usage.exports import unmarked

FORMATS = ("jsonl", "csv")
REQUIRED = ("provider", "model", "input_tokens", "output_tokens")
MAX_LINE = 1024 * 1024  # bytes

Numbered = tuple[int, Raw]  # the line's number in the file, and the JSON of what it says


def format_of(path: Path, given: str | None) -> str:
    """Return the format, which the file's name tells unless it is given."""
    if given is not None:
        return given
    return "csv" if path.suffix.lower() == ".csv" else "jsonl"


def lines_of(file: BinaryIO, format: str) -> Iterator[Numbered]:
    """Read ``file`` line by line. Raises CannotStart when it is no such file at all."""
    return _csv_lines(file) if format == "csv" else _json_lines(file)


def _json_lines(file: BinaryIO) -> Iterator[Numbered]:
    number = 0
    while line := file.readline(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE:
            raise CannotStart(f"line {number} is longer than {MAX_LINE} bytes")
        text = line.strip()
        if text:
            yield number, _named_by_id(text)


def _csv_lines(file: BinaryIO) -> Iterator[Numbered]:
    text = TextIOWrapper(file, encoding="utf-8-sig", newline="")
    rows = csv.reader(text, strict=True)
    try:
        header = next(rows, [])
        missing = [name for name in REQUIRED if name not in header]
        if missing:
            raise CannotStart(f"the first line of the file must name the column {missing[0]}")
        for cells in rows:
            if cells:
                members = {
                    name: _value(name, cell)
                    for name, cell in zip(header, cells, strict=False)
                    if cell
                }
                yield rows.line_num, _named_by_id(json.encode(members))
    except (csv.Error, UnicodeDecodeError) as error:
        raise CannotStart(f"line {rows.line_num + 1} is no CSV in UTF-8: {error}") from None
    finally:
        text.detach()  # the file is not ours to close


def _value(name: str, cell: str) -> object:
    if name != "metadata":
        return unmarked(cell)
    try:
        return json.decode(cell)
    except (ValueError, RecursionError):
        return cell  # refused with the line, which says where


def _named_by_id(text: bytes) -> Raw:
    """Let an exported row be known by its id, unless it has a name of its own."""
    try:
        members = json.decode(text, type=dict[str, Raw])
    except (ValueError, RecursionError):
        return Raw(text)  # refused with the line
    if bytes(members.get("client_log_id", b"null")) != b"null" or "id" not in members:
        return Raw(text)
    return Raw(json.encode(members | {"client_log_id": members["id"]}))
