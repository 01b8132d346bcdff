"""A backup holds everything committed before it began, and either database is made from it."""

import asyncio
import shutil
import stat
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from msgspec import json
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from llmring_adapters.archive.manifest import MANIFEST, BadArchive, Manifest
from llmring_adapters.archive.reading import open_archive, restore
from llmring_adapters.archive.writing import write_archive
from llmring_adapters.checking import check_database
from llmring_adapters.database import open_engine
from llmring_adapters.maintenance import whole_read
from llmring_adapters.registry.bundled import bundled_snapshot
from llmring_adapters.schema import metadata
from llmring_adapters.transactions.sql import sql_transactions
from llmring_adapters.usage.tables import usage_records
from llmring_core.receipts import IssueStatement
from llmring_core.transparency import ContinueLog
from tests.builders.accounts import PROJECT, api_key
from tests.builders.certification import EVERY, certifying
from tests.builders.gateway import add_gateway
from tests.builders.idempotency import answer
from tests.builders.kernel import MICROSECOND, NOON, P1, P2, FakeClock, ids
from tests.builders.receipts import KEY, SIGNER, WANTED, issuing, secrets
from tests.builders.transparency import SIGNER as LOG_SIGNER
from tests.builders.usage import usage_record
from tests.contracts.conftest import SCHEMA

REVISION = "0001"
Rows = dict[str, list[tuple[Any, ...]]]


@pytest.fixture(params=["sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def filled(engine: AsyncEngine) -> AsyncEngine:
    """A database with something awkward in every table."""
    records = [
        usage_record(),
        usage_record(project=P2, alias=None, origin=None, cost_usd=None, latency_ms=None),
        usage_record(kind="adjustment", cost_usd=Decimal("-1E-12"), metadata={}, rates=()),
        *(usage_record(at=NOON + n * MICROSECOND, client_log_id=str(n)) for n in range(1_100)),
    ]
    async with sql_transactions(engine)() as work:
        await work.accounts.add_project(PROJECT)
        await work.accounts.add_key(api_key(1))
        await work.accounts.add_key(api_key(2, revoked_at=NOON + timedelta(days=1)))
        await work.answers.add([answer(), answer(key="for good", expires_at=None)], NOON)
        await work.snapshots.append(bundled_snapshot())
        await work.usage.append(records)
        await work.keys.put(KEY)
        await add_gateway(work)
    begin = sql_transactions(engine)
    await issuing(begin)(P2, WANTED)
    await certifying(begin)(P1, EVERY)
    await ContinueLog(begin, begin, LOG_SIGNER)()
    await issuing(begin)(P1, WANTED)  # waits for its place in the log
    later = FakeClock(NOON + timedelta(days=1))
    await IssueStatement(begin, SIGNER, later, ids(1), secrets())(P1, "2026-11-20")
    return engine


@pytest.fixture
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """Another database, of SQLite, with tables and nothing in them."""
    file = shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "empty.db")
    opened = open_engine(f"sqlite:///{file}", SCHEMA)
    yield opened
    await opened.dispose()


async def write(engine: AsyncEngine, path: Path) -> Manifest:
    return await write_archive(
        engine, path, server="1.2.3", revision=REVISION, now=NOON, progress=lambda _: None
    )


async def fill(engine: AsyncEngine, path: Path) -> None:
    with open_archive(path, REVISION) as archive:
        await restore(engine, archive, lambda _: None)


async def clear(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            await connection.execute(table.delete())


async def everything(engine: AsyncEngine) -> Rows:
    async with engine.connect() as connection:
        return {
            str(table.name): sorted(map(tuple, await connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


async def test_everything_comes_back_through_either_database(
    filled: AsyncEngine, empty: AsyncEngine, tmp_path: Path
) -> None:
    there = await everything(filled)
    assert all(there.values())  # there is something to lose in every table

    first = await write(filled, tmp_path / "first.zip")
    await fill(empty, tmp_path / "first.zip")
    second = await write(empty, tmp_path / "second.zip")
    await clear(filled)
    await fill(filled, tmp_path / "second.zip")

    assert await everything(empty) == there
    assert await everything(filled) == there
    assert {t.name: t.rows for t in first.tables} == {
        t.name: len(there[t.name]) for t in first.tables
    }
    assert first.rows == second.rows
    assert await check_database(empty, lambda *_: None) == []


async def test_one_view_is_read_while_others_write(filled: AsyncEngine) -> None:
    begin, query = sql_transactions(filled), select(usage_records.c.id)
    async with whole_read(filled) as connection:
        before = set(await connection.scalars(query))
        async with begin() as work:
            await work.usage.append([usage_record(client_log_id="meanwhile")])
        assert set(await connection.scalars(query)) == before

    async with whole_read(filled) as connection:
        assert len(set(await connection.scalars(query))) == len(before) + 1


async def test_a_backup_under_load_is_all_that_was_acknowledged_before_and_consistent(
    filled: AsyncEngine, empty: AsyncEngine, tmp_path: Path
) -> None:
    begin, numbers = sql_transactions(filled), count()
    busy, stop = asyncio.Event(), asyncio.Event()
    acknowledged: list[str] = []

    async def client() -> None:
        while not stop.is_set():
            record = usage_record(client_log_id=f"load {next(numbers)}")
            async with begin() as work:
                await work.usage.append([record])
            acknowledged.append(record.id)
            if len(acknowledged) == 20:
                busy.set()

    clients = [asyncio.create_task(client()) for _ in range(4)]
    await busy.wait()
    before = set(acknowledged)
    await write(filled, tmp_path / "backup.zip")
    stop.set()
    await asyncio.gather(*clients)

    await fill(empty, tmp_path / "backup.zip")
    async with empty.connect() as connection:
        kept = set(await connection.scalars(select(usage_records.c.id)))
    assert before <= kept
    assert await check_database(empty, lambda *_: None) == []  # no call without its totals


async def test_a_database_that_is_not_empty_is_left_alone(
    filled: AsyncEngine, tmp_path: Path
) -> None:
    await write(filled, tmp_path / "backup.zip")
    there = await everything(filled)

    with pytest.raises(BadArchive, match="the database is not empty: "):
        await fill(filled, tmp_path / "backup.zip")

    assert await everything(filled) == there


def altered(name: str, change: Callable[[bytes], bytes]) -> Callable[[dict[str, bytes]], None]:
    def alter(parts: dict[str, bytes]) -> None:
        parts[name] = change(parts[name])

    return alter


def without_last_line(lines: bytes) -> bytes:
    return b"".join(lines.splitlines(keepends=True)[:-1])


def manifest_with(**members: object) -> Callable[[dict[str, bytes]], None]:
    return altered(MANIFEST, lambda text: json.encode(json.decode(text) | members))


RECORDS, KEYS = "tables/usage_records.jsonl", "tables/api_keys.jsonl"


@pytest.mark.parametrize("backend", ["sqlite"])
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (altered(RECORDS, without_last_line), "its digest differs"),
        (altered(RECORDS, lambda lines: lines.replace(b"-1,", b"-2,", 1)), "its digest differs"),
        (altered(RECORDS, lambda lines: lines[:-1]), "cannot be read"),
        (altered(RECORDS, lambda _: b"[1]\n"), "cannot be read"),
        (altered(RECORDS, lambda _: b"[" * 100_000 + b"\n"), "cannot be read"),
        (altered(KEYS, lambda lines: lines + lines), "break the rules of the table"),
        (altered(MANIFEST, lambda _: b"{}"), "manifest.json cannot be read"),
        (manifest_with(version=2), "manifest.json cannot be read"),
        (manifest_with(revision="0000"), "this version reads 0001"),
        (manifest_with(tables=[]), "its tables are not those"),
        (lambda parts: parts.pop(MANIFEST), "manifest.json is damaged or missing"),
        (lambda parts: parts.pop(KEYS), "its parts are not those"),
        (lambda parts: parts.update({"../evil": b""}), "its parts are not those"),
    ],
)
async def test_a_file_that_was_changed_restores_nothing(
    filled: AsyncEngine,
    empty: AsyncEngine,
    tmp_path: Path,
    damage: Callable[[dict[str, bytes]], object],
    said: str,
) -> None:
    await write(filled, tmp_path / "good.zip")
    with ZipFile(tmp_path / "good.zip") as good:
        parts = {name: good.read(name) for name in good.namelist()}
    damage(parts)
    with ZipFile(tmp_path / "bad.zip", "w") as bad:
        for name, content in parts.items():
            bad.writestr(name, content)

    with pytest.raises(BadArchive, match=said):
        await fill(empty, tmp_path / "bad.zip")

    assert not any((await everything(empty)).values())


@pytest.mark.parametrize("backend", ["sqlite"])
async def test_a_file_that_lost_bytes_restores_nothing(
    filled: AsyncEngine, empty: AsyncEngine, tmp_path: Path
) -> None:
    path = tmp_path / "backup.zip"
    await write(filled, path)
    whole = path.read_bytes()
    middle = len(whole) // 2

    for broken in (
        b"",
        whole[:-30],
        whole[:middle],
        whole[:middle] + b"\0\0\0\0" + whole[middle + 4 :],
    ):
        path.write_bytes(broken)
        with pytest.raises(BadArchive):
            await fill(empty, path)

    assert not any((await everything(empty)).values())


@pytest.mark.parametrize("backend", ["sqlite"])
async def test_a_backup_is_private_whole_and_never_overwrites(
    filled: AsyncEngine, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    await write(filled, folder / "backup.zip")

    with pytest.raises(BadArchive, match="exists already"):
        await write(filled, folder / "backup.zip")
    with pytest.raises(BadArchive, match="cannot be written: No such file or directory"):
        await write(filled, folder / "nowhere" / "backup.zip")
    assert stat.S_IMODE((folder / "backup.zip").stat().st_mode) == 0o600
    assert [file.name for file in folder.iterdir()] == ["backup.zip"]


@pytest.mark.parametrize("backend", ["sqlite"])
async def test_a_backup_that_fails_leaves_no_file(filled: AsyncEngine, tmp_path: Path) -> None:
    def stop(_: int) -> None:
        raise RuntimeError("stop")

    folder = tmp_path / "backups"
    folder.mkdir()
    with pytest.raises(RuntimeError, match="stop"):
        await write_archive(
            filled, folder / "b.zip", server="1", revision=REVISION, now=NOON, progress=stop
        )

    assert list(folder.iterdir()) == []
