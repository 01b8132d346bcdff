"""``GET /api/v1/logs?format=csv|jsonl``: the whole selection as a file, streamed page by page."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from csv import writer
from datetime import datetime
from io import StringIO
from typing import Any

from litestar import Response
from litestar.response import Stream
from msgspec import UNSET, Raw
from msgspec.json import Encoder

from llmring_core.ids import ProjectId
from llmring_core.usage import ExportUsage, ListUsage, UsageRecord
from llmring_http.usage.wire import ListQuery, LogRow, listed

# The members the published client exports come first, in its order.
CSV_COLUMNS = (
    "logged_at",
    "provider",
    "model",
    "alias",
    "profile",
    "origin",
    "input_tokens",
    "output_tokens",
    "cost",
    "cached_input_tokens",
    "reasoning_output_tokens",
    "cost_status",
    "usage_source",
    "kind",
    "attempt_status",
    "latency_ms",
    "metadata",
    "id_at_origin",
    "client_log_id",
    "request_id",
    "adjusts",
    "id",
)
CSV_HEADER = (",".join(CSV_COLUMNS) + "\r\n").encode()
# What a spreadsheet would calculate, or what only looks as if it were marked already.
FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
MARK = "'"
MEDIA_TYPES = {"csv": "text/csv", "jsonl": "application/x-ndjson"}

encoder = Encoder()

Pages = AsyncIterator[list[UsageRecord]]
Written = Callable[[Sequence[UsageRecord]], bytes]


def csv_rows(records: Sequence[UsageRecord]) -> bytes:
    """Write records as CSV rows; a call without a price has an empty cost."""
    text = StringIO(newline="")
    writer(text).writerows(_cells(LogRow.of(record)) for record in records)
    return text.getvalue().encode()


def jsonl_rows(records: Sequence[UsageRecord]) -> bytes:
    """Write records as the rows of ``/logs``, one a line."""
    return encoder.encode_lines([LogRow.of(record) for record in records])


def marked(text: str) -> str:
    """Return ``text`` so that no spreadsheet takes it for a formula."""
    return MARK + text if FORMULA.match(text) else text


def unmarked(cell: str) -> str:
    """Return the text that ``marked`` was given."""
    return cell[1:] if cell.startswith(MARK) and FORMULA.match(cell) else cell


WRITTEN: dict[str, tuple[bytes, Written]] = {
    "csv": (CSV_HEADER, csv_rows),
    "jsonl": (b"", jsonl_rows),
}


async def exported(pages: Pages, format: str) -> Response[Any]:
    """Answer with a file. The first page is read before, so that a refusal still has its status."""
    first = await anext(pages)
    head, written = WRITTEN[format]

    async def parts() -> AsyncIterator[bytes]:
        yield head + written(first)
        async for page in pages:
            yield written(page)

    disposition = {"Content-Disposition": f'attachment; filename="usage.{format}"'}
    return Stream(parts(), media_type=MEDIA_TYPES[format], headers=disposition)


async def answered(
    project: ProjectId,
    query: ListQuery,
    now: datetime,
    list_usage: ListUsage,
    export_usage: ExportUsage,
) -> Response[Any]:
    """Answer with a page of rows, or with all of them as a file. Raises InvalidField."""
    selection = query.selection(now)
    if query.format == "json":
        return listed(await list_usage(project, selection, query.page))
    pages = export_usage(
        project, selection, limit=query.limit, offset=query.offset, cursor=query.cursor
    )
    return await exported(pages, query.format)


def _cells(row: LogRow) -> list[str]:
    return [_cell(getattr(row, name)) for name in CSV_COLUMNS]


def _cell(value: object) -> str:
    """Write one value; numbers are written by us, and never formulas, also when negative."""
    if value is None or value is UNSET:
        return ""
    if isinstance(value, str):
        return marked(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Raw):
        return bytes(value).decode()
    text = encoder.encode(value).decode()  # an instant, or the metadata
    return text.strip('"') if text.startswith('"') else text
