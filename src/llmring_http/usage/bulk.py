"""The JSON of batches and imports, and their lines one by one where some are malformed."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Self

from msgspec import Meta, Raw, Struct, ValidationError, convert
from msgspec.structs import replace

from llmring_core.errors import InvalidField
from llmring_core.usage import Batch, BatchResult, Line, Refusal, Taken, named_by_content
from llmring_http.decoding import decode_body, decode_part
from llmring_http.problems import FieldError, Unprocessable
from llmring_http.usage.wire import LogBody, UsdNumber, usd_number

MAX_LOGGED = 500  # lines
MAX_IMPORTED = 1_000  # lines
INSTANT = "must be an instant such as 2026-11-20T12:00:00Z"


class ImportLine(LogBody, frozen=True, kw_only=True):
    """A call that happened, perhaps a while ago."""

    logged_at: str | None = None  # RFC 3339, without an offset in UTC; absent: now

    def instant(self) -> datetime | None:
        """Return when it happened, in UTC. Raises InvalidField."""
        if not self.logged_at:
            return None
        try:
            at = convert(self.logged_at, datetime)
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValidationError, OverflowError):
            raise InvalidField("logged_at", INSTANT) from None


class LogLines(Struct, frozen=True, kw_only=True):
    logs: Annotated[list[LogBody], Meta(min_length=1, max_length=MAX_LOGGED)]


class ImportLines(Struct, frozen=True, kw_only=True):
    logs: Annotated[list[ImportLine], Meta(min_length=1, max_length=MAX_IMPORTED)]


class AnyLogLines(Struct, frozen=True, kw_only=True):
    """As many lines, whatever they are."""

    logs: Annotated[list[Raw], Meta(min_length=1, max_length=MAX_LOGGED)]


class AnyImportLines(Struct, frozen=True, kw_only=True):
    logs: Annotated[list[Raw], Meta(min_length=1, max_length=MAX_IMPORTED)]


class LineAnswer(Struct, frozen=True, kw_only=True):
    index: int
    log_id: str
    cost: UsdNumber  # null: no price known
    cost_status: str

    @classmethod
    def of(cls, taken: Taken) -> Self:
        return cls(
            index=taken.index,
            log_id=taken.logged.id,
            cost=usd_number(taken.logged.cost_usd),
            cost_status=taken.logged.cost_status,
        )


class LineRejected(Struct, frozen=True, kw_only=True):
    index: int
    detail: str | Sequence[FieldError]


class BatchAnswer(Struct, frozen=True, kw_only=True):
    accepted: int  # stored by this batch
    duplicates: int  # stored before; their results are those of the first time
    results: list[LineAnswer]
    rejected: list[LineRejected]

    @classmethod
    def of(cls, result: BatchResult, malformed: Sequence[LineRejected]) -> Self:
        duplicates = sum(taken.duplicate for taken in result.taken)
        refused = [*malformed, *map(_rejected, result.refused)]
        return cls(
            accepted=len(result.taken) - duplicates,
            duplicates=duplicates,
            results=[LineAnswer.of(taken) for taken in result.taken],
            rejected=sorted(refused, key=lambda line: line.index),
        )


Decoded = tuple[Batch, list[LineRejected]]  # the good lines, and what is wrong with the others


def decoded_batch(body: bytes, content_type: str | None) -> Decoded:
    """Read the body of ``/log/batch``. Raises Unprocessable when it has no list of lines."""
    try:
        sent: Iterable[LogBody | Raw] = decode_body(body, content_type, LogLines).logs
    except Unprocessable:
        sent = decode_body(body, content_type, AnyLogLines).logs
    rejected: list[LineRejected] = []
    lines = []
    for index, one in enumerate(sent):
        try:
            line = decode_part(one, LogBody) if isinstance(one, Raw) else one
            lines.append(Line(index=index, call=line.command()))
        except (Unprocessable, InvalidField) as error:
            rejected.append(malformed(index, error))
    return Batch(route="usage.batch", lines=tuple(lines)), rejected


def decoded_import(body: bytes, content_type: str | None) -> Decoded:
    """Read the body of ``/logs/import``. Raises Unprocessable when it has no list of lines."""
    try:
        sent: Iterable[ImportLine | Raw] = decode_body(body, content_type, ImportLines).logs
    except Unprocessable:
        sent = decode_body(body, content_type, AnyImportLines).logs
    return imported(enumerate(sent), Counter())


def imported(sent: Iterable[tuple[int, ImportLine | Raw]], seen: Counter[str]) -> Decoded:
    """Return numbered lines as a batch; ``seen`` counts equal ones without a name, file-wide."""
    rejected: list[LineRejected] = []
    lines = []
    for index, one in sent:
        try:
            line = decode_part(one, ImportLine) if isinstance(one, Raw) else one
            lines.append(Line(index=index, call=line.command(), at=line.instant()))
        except (Unprocessable, InvalidField) as error:
            rejected.append(malformed(index, error))
    return Batch(route="usage.import", lines=named_by_content(lines, seen)), rejected


def malformed(index: int, error: Unprocessable | InvalidField) -> LineRejected:
    """Say what is wrong with one line, and where in the body."""
    if isinstance(error, InvalidField):
        return LineRejected(index=index, detail=[_field_error(index, error.field, error.rule)])
    placed = [
        replace(one, loc=["body", "logs", index, *[step for step in one.loc if step != "body"]])
        for one in error.errors
    ]
    return LineRejected(index=index, detail=placed)


def _rejected(refusal: Refusal) -> LineRejected:
    if refusal.field is None:
        return LineRejected(index=refusal.index, detail=refusal.rule)
    error = _field_error(refusal.index, refusal.field, refusal.rule)
    return LineRejected(index=refusal.index, detail=[error])


def _field_error(index: int, field: str, rule: str) -> FieldError:
    return FieldError(type="value_error", loc=["body", "logs", index, field], msg=rule)
