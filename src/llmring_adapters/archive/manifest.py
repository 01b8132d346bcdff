"""What an archive says about itself, and what may be wrong with one."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

MANIFEST = "manifest.json"


class BadArchive(Exception):
    """The file is no archive, is damaged, or does not fit this version or database."""


class ArchivedTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    columns: list[str]
    rows: int
    sha256: str  # of the table's lines, 64 hex digits

    @property
    def member(self) -> str:
        return f"tables/{self.name}.jsonl"


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: Literal["llmring.backup"] = "llmring.backup"
    version: Literal[1] = 1
    server: str  # the version that wrote it
    revision: str  # of the schema
    made_at: datetime  # UTC
    made_from: str  # sqlite or postgresql
    tables: list[ArchivedTable]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)
