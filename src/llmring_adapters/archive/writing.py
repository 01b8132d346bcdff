"""Writing an archive: one view of the database, table by table, in bounded memory."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile

from msgspec.json import Encoder
from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from llmring_adapters.archive.manifest import MANIFEST, ArchivedTable, BadArchive, Manifest
from llmring_adapters.archive.values import Writer, names_of
from llmring_adapters.maintenance import whole_read
from llmring_adapters.schema import metadata

BATCH = 1_000  # rows
ONLY_OURS = 0o600  # an archive holds everything tenants logged

Progress = Callable[[int], None]  # is told how many rows are done

encoder = Encoder()


async def write_archive(
    engine: AsyncEngine,
    path: Path,
    *,
    server: str,
    revision: str,
    now: datetime,
    progress: Progress,
) -> Manifest:
    """Write everything committed before to ``path``, which must not exist yet. Raises BadArchive.

    The file has its name when it is whole and on disk, not before.
    """
    with _whole_file(path) as file, ZipFile(file, "w", ZIP_DEFLATED) as archive:
        tables: list[ArchivedTable] = []
        async with whole_read(engine) as connection:
            for table in metadata.sorted_tables:
                done = sum(one.rows for one in tables)
                tables.append(await _write_table(connection, table, archive, progress, done))
        manifest = Manifest(
            server=server,
            revision=revision,
            made_at=now,
            made_from=engine.dialect.name,
            tables=tables,
        )
        archive.writestr(MANIFEST, encoder.encode(manifest))
    return manifest


async def _write_table(
    connection: AsyncConnection, table: Table, archive: ZipFile, progress: Progress, done: int
) -> ArchivedTable:
    columns, rows, digest = names_of(table), 0, sha256()
    written = ArchivedTable(name=str(table.name), columns=columns, rows=0, sha256="")
    with archive.open(written.member, "w", force_zip64=True) as member:
        async for lines, count in _lines(connection, table):
            member.write(lines)
            digest.update(lines)
            rows += count
            progress(done + rows)
    return ArchivedTable(
        name=str(table.name), columns=columns, rows=rows, sha256=digest.hexdigest()
    )


async def _lines(connection: AsyncConnection, table: Table) -> AsyncIterator[tuple[bytes, int]]:
    write = Writer(table)
    async with connection.stream(select(table)) as found:
        async for rows in found.partitions(BATCH):
            yield encoder.encode_lines(list(map(write, rows))), len(rows)


@contextmanager
def _whole_file(path: Path) -> Iterator[IO[Any]]:
    """Lend a file that gets its name in the end, when nothing failed."""
    if path.exists():
        raise BadArchive(f"{path} exists already; choose another name")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, ONLY_OURS)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
            _sync(path.parent)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise BadArchive(f"{path} cannot be written: {error.strerror or error}") from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
