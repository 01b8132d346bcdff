"""How a column's values are written in an archive: every one comes back exactly."""

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from sqlalchemy import JSON, Boolean, Column, Integer, LargeBinary, String, Table

from llmring_adapters.schema import EPOCH, MICROSECOND, Names, Usd, UtcDateTime, picos_of, usd_of

Convert: TypeAlias = Callable[[Any], Any]

PLAIN = (Boolean, Integer, String)  # JSON has them
WRITTEN: tuple[tuple[type, Convert, Convert], ...] = (
    (
        UtcDateTime,
        lambda at: (at - EPOCH) // MICROSECOND,
        lambda micros: EPOCH + micros * MICROSECOND,
    ),
    (Usd, picos_of, usd_of),
    (Names, list, tuple),
    (LargeBinary, bytes.hex, bytes.fromhex),
    (JSON, json.dumps, json.loads),  # as text: numbers beyond 64 bits stay what they are
)


class Writer:
    """Turns a table's rows into lists of what JSON has."""

    def __init__(self, table: Table) -> None:
        self._converts = [_converts(column)[0] for column in table.columns]

    def __call__(self, row: Sequence[Any]) -> list[Any]:
        pairs = zip(self._converts, row, strict=True)
        return [v if convert is None or v is None else convert(v) for convert, v in pairs]


class Reader:
    """Turns such lists into rows to insert. Raises ValueError, TypeError when they are none."""

    def __init__(self, table: Table) -> None:
        self._converts = [(column.key, _converts(column)[1]) for column in table.columns]

    def __call__(self, values: Sequence[Any]) -> dict[str, Any]:
        pairs = zip(self._converts, values, strict=True)
        return {
            name: v if convert is None or v is None else convert(v) for (name, convert), v in pairs
        }


def names_of(table: Table) -> list[str]:
    """Return the names of the columns, in their order."""
    return [str(column.key) for column in table.columns]


def _converts(column: Column[Any]) -> tuple[Convert | None, Convert | None]:
    """Return how to write and how to read. Raises TypeError for a type nobody thought of."""
    for kind, write, read in WRITTEN:
        if isinstance(column.type, kind):
            return write, read
    if isinstance(column.type, PLAIN):
        return None, None
    raise TypeError(f"archives cannot hold {column.table.name}.{column.name}: {column.type!r}")
