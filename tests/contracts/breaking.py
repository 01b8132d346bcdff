"""Drivers that fail at one of their calls, as they do when the database goes away in the middle."""

import sqlite3
from collections.abc import Callable
from typing import Any

import asyncpg

from tests.contracts.conftest import SCHEMA


class Broken(ConnectionError):
    """What a driver says when the database goes away in the middle."""


class Faults:
    """Breaks the ``at``-th call to the driver, once."""

    def __init__(self) -> None:
        self.arm(0, "")

    def arm(self, at: int, way: str) -> None:
        self.at, self.way, self.seen, self.broke = at, way, 0, False

    @property
    def reached(self) -> bool:
        return self.seen >= self.at

    def before(self) -> None:
        self.seen += 1
        self._break("before")

    def after(self) -> None:
        self._break("after")

    def _break(self, way: str) -> None:
        if (self.seen, self.way) == (self.at, way):
            self.broke = True
            raise Broken


async def breaking_postgres(url: str, faults: Faults) -> asyncpg.Connection:
    class Breaking(asyncpg.Connection):
        async def execute(self, *args: Any, **kwargs: Any) -> Any:
            faults.before()
            done = await super().execute(*args, **kwargs)
            faults.after()
            return done

        async def fetch(self, *args: Any, **kwargs: Any) -> Any:
            faults.before()
            done = await super().fetch(*args, **kwargs)
            faults.after()
            return done

    settings = {"search_path": SCHEMA}
    return await asyncpg.connect(url, connection_class=Breaking, server_settings=settings)


def breaking_sqlite(faults: Faults) -> type[sqlite3.Connection]:
    def outage(work: Callable[[], None]) -> None:
        try:
            work()
        except Broken as error:
            raise sqlite3.OperationalError("injected") from error

    class Breaking(sqlite3.Connection):
        def execute(self, *args: Any) -> sqlite3.Cursor:
            outage(faults.before)
            done = super().execute(*args)
            outage(faults.after)
            return done

        def executemany(self, *args: Any) -> sqlite3.Cursor:
            outage(faults.before)
            done = super().executemany(*args)
            outage(faults.after)
            return done

    return Breaking
