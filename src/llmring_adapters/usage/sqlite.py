"""Writing many entries to SQLite in one go, with the statements of the SQL stores.

Through SQLAlchemy a lone call costs a dozen hops between threads and a millisecond of Python.
"""

from collections.abc import Sequence
from sqlite3 import Connection, IntegrityError
from typing import Any, TypeAlias

from sqlalchemy import bindparam, insert
from sqlalchemy.dialects import sqlite

from llmring_adapters.idempotency.sql import first_answers, kept_first, row_of
from llmring_adapters.schema import UtcDateTime
from llmring_adapters.sqlite import OwnThread, Prepared
from llmring_adapters.usage.tables import row_of as usage_row_of
from llmring_adapters.usage.tables import usage_records
from llmring_adapters.usage.totals import UPSERT, totals_of
from llmring_core.idempotency import AlreadyAnswered, AnswerName
from llmring_core.usage import DuplicateUsage, Entry, TotalsOverflow

Named: TypeAlias = tuple[AnswerName, dict[str, Any]]

NOW = bindparam("now", type_=UtcDateTime())
WRITE_ANSWER = Prepared(kept_first(sqlite.insert(first_answers), NOW))
WRITE_CALL = Prepared(insert(usage_records))
WRITE_TOTAL = Prepared(UPSERT["sqlite"])


class SqliteWriter:
    """Writes entries in a thread of its own."""

    def __init__(self, own: OwnThread) -> None:
        self._own = own

    async def __call__(self, entries: Sequence[Entry]) -> list[None]:
        """Commit all of them or none.

        Raises: AlreadyAnswered, DuplicateUsage, TotalsOverflow, StoreUnavailable.
        """
        records = [entry.record for entry in entries]
        now = {"now": entries[0].taken_at}
        answers = [
            (answer.name, WRITE_ANSWER.row(row_of(answer) | now))
            for entry in entries
            for answer in entry.answers
        ]
        calls = [WRITE_CALL.row(usage_row_of(record)) for record in records]
        totals = totals_of(records)

        def write(connection: Connection) -> None:
            _write_answers(connection, answers)
            connection.executemany(WRITE_CALL.sql, calls)
            connection.executemany(WRITE_TOTAL.sql, totals)

        try:
            await self._own.commit(write)
        except IntegrityError as error:
            if "UNIQUE" in str(error):
                raise DuplicateUsage(records[0].id) from error
            if "tokens_in_range" in str(error):
                raise TotalsOverflow from error
            raise
        return [None] * len(entries)


def _write_answers(connection: Connection, answers: Sequence[Named]) -> None:
    taken = [
        name
        for name, row in answers
        if not connection.execute(WRITE_ANSWER.sql, row).fetchall()  # it returns what it kept
    ]
    if taken:
        raise AlreadyAnswered(taken)
