"""Rule: what a project's receipts of a day or a month come to, so that none can be left out."""

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import reduce
from hashlib import sha256
from operator import itemgetter
from typing import Literal, NewType, TypeAlias

from msgspec import Struct, ValidationError, convert, json

from llmring_core.errors import InvalidField
from llmring_core.ids import ProjectId
from llmring_core.money import EXACT, plain
from llmring_core.receipts.errors import BadReceipt, TooManyModels
from llmring_core.receipts.model import Amount, Count, KeyId, Receipt
from llmring_core.transparency import STATEMENT, Leaf, TreeHead, commitment_to, leaf_hash

StatementId = NewType("StatementId", str)  # "stmt_" and a UUIDv7
Span: TypeAlias = Literal["day", "month"]

MAX_MODELS = 10_000  # in one statement
MAX_BYTES = 4 * 1024 * 1024  # of one
PERIOD = re.compile(r"(\d{4})-(\d\d)(?:-(\d\d))?", re.ASCII)


class StatedPeriod(Struct, frozen=True, kw_only=True):
    """A day or a month of UTC."""

    name: str  # 2026-11-20 or 2026-11
    span: Span
    start: datetime  # UTC, included
    end: datetime  # UTC, not included


class ModelTotal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the receipts for one model come to. Sums are text: they may pass 2^53."""

    provider: str
    model: str
    count: Count  # receipts
    unpriced: Count  # of these, those that state no amount
    input_tokens: str  # cached ones and those written to a cache included
    output_tokens: str  # reasoning included
    amount: Amount


class Previous(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The statement before this one, of the same span."""

    id: StatementId
    digest: str  # SHA-256 of it as served, 64 hex digits


class Statement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of a project's receipts from ``first_seq`` to ``last_seq``, and their sum."""

    type: Literal["llmring.statement"]
    v: Literal[1]
    id: StatementId
    project: ProjectId
    period: str
    start: str  # RFC 3339 in UTC, included
    end: str  # RFC 3339 in UTC, not included
    issued_at: str  # RFC 3339 in UTC
    key_id: KeyId
    first_seq: int  # one more than the last of the statement before, 1 in the first statement
    last_seq: int  # one less than first_seq when there was no receipt
    count: Count
    unpriced: Count
    amount: Amount
    currency: Literal["USD"]
    by_model: tuple[ModelTotal, ...]  # in order of provider and model
    root: str  # RFC 6962 over the receipts as served, by seq; 64 hex digits
    previous: Previous | None


class StoredStatement(Struct, frozen=True, kw_only=True):
    """A statement as it was signed, and where the log has it."""

    id: StatementId
    period: str
    span: Span
    body: str  # exactly what is signed: RFC 8785, without the signature
    signature: str
    stored_at: datetime  # UTC
    leaf: str  # its entry in the transparency log
    salt: bytes  # opens that entry

    @property
    def document(self) -> str:
        """Return the statement as it is served."""
        return f'{self.body[:-1]},"signature":"{self.signature}"}}'

    @property
    def content(self) -> Statement:
        return json.decode(self.body, type=Statement)


class Sums(Struct, frozen=True, kw_only=True):
    """What some receipts come to."""

    count: int
    unpriced: int
    amount: str
    by_model: tuple[ModelTotal, ...]
    root: str


@dataclass(slots=True)
class _Running:
    """What the receipts for one model come to so far."""

    count: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    amount: Decimal = Decimal(0)


class Adding:
    """Adds receipts up, one after the other in order of their numbers."""

    def __init__(self) -> None:
        self._models: defaultdict[tuple[str, str], _Running] = defaultdict(_Running)
        self._tree = TreeHead()

    def add(self, receipt: Receipt, served: bytes) -> None:
        """Raises TooManyModels."""
        used, cost = receipt.usage, receipt.cost
        running = self._models[receipt.provider, receipt.model]
        if len(self._models) > MAX_MODELS:
            raise TooManyModels(f"a statement names at most {MAX_MODELS} models")
        running.count += 1
        running.unpriced += cost.amount is None
        running.input_tokens += used.input_uncached + used.input_cache_read
        running.input_tokens += used.input_cache_write_5m + used.input_cache_write_1h
        running.output_tokens += used.output + used.output_reasoning
        running.amount = EXACT.add(running.amount, Decimal(cost.amount or 0))
        self._tree.append(leaf_hash(served))

    @property
    def sums(self) -> Sums:
        models = self._models.values()
        return Sums(
            count=sum(one.count for one in models),
            unpriced=sum(one.unpriced for one in models),
            amount=plain(reduce(EXACT.add, [one.amount for one in models], Decimal(0))),
            by_model=tuple(
                ModelTotal(
                    provider=provider,
                    model=model,
                    count=one.count,
                    unpriced=one.unpriced,
                    input_tokens=str(one.input_tokens),
                    output_tokens=str(one.output_tokens),
                    amount=plain(one.amount),
                )
                for (provider, model), one in sorted(self._models.items(), key=itemgetter(0))
            ),
            root=self._tree.root.hex(),
        )


def stated_period(name: str) -> StatedPeriod:
    """Return the day or month of that name. Raises InvalidField."""
    match = PERIOD.fullmatch(name)
    try:
        if match is None:
            raise ValueError
        year, month, day = int(match[1]), int(match[2]), int(match[3] or 1)
        start = datetime(year, month, day, tzinfo=UTC)
        following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        end = start + timedelta(days=1) if match[3] else following
    except (ValueError, OverflowError):
        raise InvalidField(
            "period", "must be a day or month such as 2026-11-20 or 2026-11"
        ) from None
    return StatedPeriod(name=name, span="day" if match[3] else "month", start=start, end=end)


def period_with(at: datetime, span: Span) -> str:
    """Return the name of the day or month that ``at`` (UTC) is in."""
    return f"{at:%Y-%m-%d}" if span == "day" else f"{at:%Y-%m}"


def statement_in(document: dict[str, object]) -> Statement:
    """Read a statement, with or without its signature. Raises BadReceipt."""
    unsigned = {name: value for name, value in document.items() if name != "signature"}
    try:
        return convert(unsigned, Statement)
    except ValidationError as error:
        raise BadReceipt(f"this is no statement of version 1: {error}") from error


def previous_of(stored: StoredStatement) -> Previous:
    """Return how the next statement names this one."""
    return Previous(id=stored.id, digest=sha256(stored.document.encode()).hexdigest())


def leaf_of_statement(stored: StoredStatement) -> Leaf:
    """Return the log's entry for a statement: a commitment to exactly what is served of it."""
    commitment = commitment_to(STATEMENT, stored.salt, stored.document.encode())
    return Leaf(id=stored.leaf, kind=STATEMENT, commitment=commitment)
