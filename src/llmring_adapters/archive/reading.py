"""Reading an archive, and making a database of it. Nothing in the file is trusted."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

from msgspec import json
from sqlalchemy import Table, insert, select, text
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from llmring_adapters.archive.manifest import MANIFEST, ArchivedTable, BadArchive, Manifest
from llmring_adapters.archive.values import Reader, names_of
from llmring_adapters.archive.writing import BATCH, Progress
from llmring_adapters.maintenance import whole_write
from llmring_adapters.schema import metadata

MAX_MANIFEST = 1024**2  # bytes
MAX_LINE = 64 * 1024**2  # bytes; a registry snapshot is one line


class Archive:
    """An open file, and what it says about itself."""

    def __init__(self, file: ZipFile, manifest: Manifest) -> None:
        self._file = file
        self.manifest = manifest

    def rows(self, part: ArchivedTable) -> Iterator[list[dict[str, Any]]]:
        """Yield a table's rows in batches; at the end they have proved to be those written.

        Raises: BadArchive.
        """
        read, digest, count = Reader(metadata.tables[part.name]), sha256(), 0
        with _explained(part.member), self._file.open(part.member) as member:
            lines = _lines(member)
            while batch := list(islice(lines, BATCH)):
                for line in batch:
                    digest.update(line)
                count += len(batch)
                yield [read(json.decode(line, type=list[Any])) for line in batch]
        if (count, digest.hexdigest()) != (part.rows, part.sha256):
            raise BadArchive(f"{part.member} is not what was written: its digest differs")


@contextmanager
def open_archive(path: Path, revision: str) -> Iterator[Archive]:
    """Lend the archive at ``path``; its tables are those of schema ``revision``.

    Raises: BadArchive.
    """
    try:
        file = ZipFile(path)
    except (OSError, BadZipFile) as error:
        raise BadArchive(f"{path} is no backup: {error}") from error
    with file:
        yield Archive(file, _manifest(file, revision))


async def restore(engine: AsyncEngine, archive: Archive, progress: Progress) -> None:
    """Put everything into an empty database, or nothing. Raises BadArchive."""
    done = 0
    async with whole_write(engine) as connection:
        for table in metadata.sorted_tables:
            if (await connection.execute(select(table).limit(1))).first() is not None:
                raise BadArchive(f"the database is not empty: {table.name} has rows")
        parts = {part.name: part for part in archive.manifest.tables}
        for table in metadata.sorted_tables:  # parents before children
            part = parts[table.name]
            for rows in archive.rows(part):
                await _insert(connection, table, rows)
                done += len(rows)
                progress(done)
            await _count_on(connection, table)


async def _insert(connection: AsyncConnection, table: Table, rows: list[dict[str, Any]]) -> None:
    try:
        await connection.execute(insert(table), rows)
    except (IntegrityError, DataError) as error:
        raise BadArchive(f"the rows of {table.name} break the rules of the table") from error


async def _count_on(connection: AsyncConnection, table: Table) -> None:
    """Let PostgreSQL's own numbering go on after the numbers that were put in."""
    column = table.autoincrement_column
    if column is None or connection.dialect.name != "postgresql":
        return
    quoted = connection.dialect.identifier_preparer.quote
    last = f"SELECT max({quoted(column.name)}) FROM {quoted(table.name)}"  # noqa: S608  our names
    sequence = "pg_get_serial_sequence(:table, :column)"
    statement = f"SELECT setval({sequence}, ({last})) WHERE {sequence} IS NOT NULL"
    names = {"table": quoted(table.name), "column": column.name}
    await connection.execute(text(statement), names)


def _manifest(file: ZipFile, revision: str) -> Manifest:
    with _explained(MANIFEST), file.open(MANIFEST) as member:
        manifest = json.decode(member.read(MAX_MANIFEST), type=Manifest)
    if manifest.revision != revision:
        raise BadArchive(
            f"it was written by version {manifest.server} with schema revision "
            f"{manifest.revision}; this version reads {revision}"
        )
    ours = [(str(table.name), names_of(table)) for table in metadata.sorted_tables]
    if sorted((part.name, part.columns) for part in manifest.tables) != sorted(ours):
        raise BadArchive("its tables are not those of its schema revision")
    names = [MANIFEST, *(part.member for part in manifest.tables)]
    if sorted(file.namelist()) != sorted(names):
        raise BadArchive("its parts are not those that its manifest names")
    return manifest


def _lines(member: IO[bytes]) -> Iterator[bytes]:
    while line := member.readline(MAX_LINE):
        if not line.endswith(b"\n"):
            raise ValueError("a line is cut or too long")
        yield line


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what is wrong with a part of the file into one line."""
    try:
        yield
    except (BadZipFile, zlib.error, EOFError, OSError, KeyError) as error:
        raise BadArchive(f"{name} is damaged or missing") from error
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise BadArchive(f"{name} cannot be read") from error
