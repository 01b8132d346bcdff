"""Whatever a column may hold comes back from an archive as it was."""

from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json
from sqlalchemy import JSON, Boolean, Column, Integer, LargeBinary, MetaData, Numeric, String, Table

import llmring_adapters.transactions.sql  # noqa: F401  # so that every table is known
from llmring_adapters.archive.values import Reader, Writer, names_of
from llmring_adapters.schema import Names, Usd, UtcDateTime, metadata

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)
VALUES: dict[type, st.SearchStrategy[Any]] = {
    UtcDateTime: st.datetimes(timezones=st.just(UTC)),
    Usd: INT64.map(lambda picos: Decimal(picos).scaleb(-12)),
    Names: st.lists(st.from_regex("[a-z0-9._-]+", fullmatch=True)).map(tuple),
    LargeBinary: st.binary(),
    JSON: JSON_VALUES.filter(lambda value: value is not None),
    Integer: INT64,
    Boolean: st.booleans(),
    String: TEXT,
}
TABLES = metadata.sorted_tables


def values_of(column: Column[Any]) -> st.SearchStrategy[Any]:
    values = next(found for kind, found in VALUES.items() if isinstance(column.type, kind))
    return st.none() | values if column.nullable else values


@pytest.mark.parametrize("table", TABLES, ids=[str(table.name) for table in TABLES])
@given(data=st.data())
def test_a_row_comes_back_exactly(table: Table, data: st.DataObject) -> None:
    row = data.draw(st.tuples(*[values_of(column) for column in table.columns]))

    line = json.Encoder().encode_lines([Writer(table)(row)])

    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    again = Reader(table)(json.decode(line, type=list[Any]))
    assert again == dict(zip(names_of(table), row, strict=True))


def test_a_type_nobody_thought_of_is_refused_not_guessed() -> None:
    odd = Table("odd", MetaData(), Column("amount", Numeric))

    with pytest.raises(TypeError, match=r"odd\.amount"):
        Writer(odd)
