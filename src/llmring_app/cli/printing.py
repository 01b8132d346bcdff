"""How commands print."""

import sys
from collections.abc import Sequence

from msgspec import json

ENCODER = json.Encoder(decimal_format="number")


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns under ``header``."""
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def print_json(value: object) -> None:
    """Print what msgspec can encode, indented."""
    print(json.format(ENCODER.encode(value), indent=2).decode())


def print_aside(text: str) -> None:
    """Print what is for people, not for the program that reads our output."""
    print(text, file=sys.stderr)
