"""Adding records to their totals in SQL. Totals are kept by quarter of an hour and by UTC day."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from sqlalchemy import Integer, literal_column
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from llmring_adapters.schema import picos_of
from llmring_adapters.usage.tables import usage_totals
from llmring_core.ids import ProjectId
from llmring_core.usage import (
    MAX_TOTAL,
    QUARTERS_A_DAY,
    TotalsOverflow,
    UsageRecord,
    add,
    quarter_of,
    sums_of,
)

PICOS_PER_MICRO = 1_000_000
TOKENS = ("input_tokens", "cached_input_tokens", "output_tokens")
SPANS = (1, QUARTERS_A_DAY)

TotalsKey = tuple[ProjectId, int, int, bytes]  # project, span, start, cell


def _upsert(insert: sqlite.Insert | postgresql.Insert) -> sqlite.Insert | postgresql.Insert:
    """Return the statement that adds a row to a total, or makes it the total."""
    stored, new = usage_totals.c, insert.excluded
    picos = stored.cost_picos + new.cost_picos
    per_micro = literal_column(str(PICOS_PER_MICRO), Integer)
    changed = {name: stored[name] + new[name] for name in ("requests", "unpriced", *TOKENS)} | {
        "cost_micros": stored.cost_micros + new.cost_micros + picos // per_micro,
        "cost_picos": picos % per_micro,
    }
    return insert.on_conflict_do_update(index_elements=usage_totals.primary_key, set_=changed)


UPSERT = {
    "sqlite": _upsert(sqlite.insert(usage_totals)),
    "postgresql": _upsert(postgresql.insert(usage_totals)),
}


async def add_to_totals(connection: AsyncConnection, records: Sequence[UsageRecord]) -> None:
    """Add ``records`` to their totals, each row once and in order of key: so no deadlocks.

    Raises: TotalsOverflow.
    """
    try:
        await connection.execute(UPSERT[connection.dialect.name], totals_of(records))
    except DBAPIError as error:
        if _is_out_of_range(error):
            raise TotalsOverflow from error
        raise


def totals_of(records: Sequence[UsageRecord]) -> list[dict[str, Any]]:
    """Return what ``records`` add to each row of totals, in order of key. Raises TotalsOverflow."""
    groups: dict[TotalsKey, list[UsageRecord]] = {}
    for record in records:
        quarter, cell = quarter_of(record.at), _cell_of(record)
        for span in SPANS:
            key = record.project, span, quarter - quarter % span, cell
            groups.setdefault(key, []).append(record)
    return [_row(key, groups[key]) for key in sorted(groups)]


def _row(key: TotalsKey, records: Sequence[UsageRecord]) -> dict[str, Any]:
    project, span, start, cell = key
    sums = add(map(sums_of, records))
    if max(sums.input_tokens, sums.output_tokens) > MAX_TOTAL:  # the driver could not send it
        raise TotalsOverflow
    micros, picos = divmod(picos_of(sums.cost_usd), PICOS_PER_MICRO)
    return {
        "project": project,
        "span": span,
        "start": start,
        "cell": cell,
        "model": records[0].model,
        "alias": records[0].alias,
        "origin": records[0].origin,
        "requests": sums.requests,
        "input_tokens": sums.input_tokens,
        "cached_input_tokens": sums.cached_input_tokens,
        "output_tokens": sums.output_tokens,
        "cost_micros": micros,
        "cost_picos": picos,
        "unpriced": sums.unpriced,
    }


def _cell_of(record: UsageRecord) -> bytes:
    """Return 16 bytes that stand for model, alias and origin: long names do not fit a key."""
    names = (record.model, record.alias, record.origin)
    text = "\0".join("\0" if name is None else name for name in names)  # names have no NUL
    return blake2b(text.encode(), digest_size=16).digest()


def _is_out_of_range(error: DBAPIError) -> bool:
    """Tell an overflow from every other failure: PostgreSQL's 22003, SQLite's CHECK."""
    return getattr(error.orig, "sqlstate", None) == "22003" or "tokens_in_range" in str(error.orig)
