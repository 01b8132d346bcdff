"""Many calls at once: what a batch is, what it comes to, and when a call may have happened."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct

from llmring_core.errors import InvalidField
from llmring_core.idempotency import Attempt, fingerprint_of
from llmring_core.usage.commands import UsageToLog
from llmring_core.usage.model import Logged

MAX_AHEAD = timedelta(minutes=5)  # clocks of other machines differ
FIRST = datetime(2000, 1, 1, tzinfo=UTC)

Route = Literal["usage.batch", "usage.import"]


class Line(Struct, frozen=True, kw_only=True):
    """One call of many."""

    index: int  # its place among those that were sent
    call: UsageToLog
    at: datetime | None = None  # UTC, when it happened; None: now
    name: str | None = None  # stands for it where it does not name itself


class Batch(Struct, frozen=True, kw_only=True):
    """Calls that are sent together, each of them stored or refused by itself."""

    route: Route  # an Idempotency-Key is good for one of them
    lines: tuple[Line, ...]


class Taken(Struct, frozen=True, kw_only=True):
    """A line that is in the ledger."""

    index: int
    logged: Logged
    duplicate: bool  # it was there before this batch


class Refusal(Struct, frozen=True, kw_only=True):
    """A line that is not, and the rule it breaks."""

    index: int
    field: str | None  # None: the line as a whole
    rule: str


class BatchResult(Struct, frozen=True, kw_only=True):
    """What became of each line, in their order."""

    taken: list[Taken]
    refused: list[Refusal]


def check_instant(at: datetime, now: datetime) -> None:
    """Raises InvalidField when nothing logged at ``now`` can have happened at ``at`` (UTC)."""
    if at < FIRST:
        raise InvalidField("logged_at", f"must not be before the year {FIRST.year}")
    if at > now + MAX_AHEAD:
        raise InvalidField("logged_at", "must not be more than 5 minutes in the future")


def named_by_content(lines: Iterable[Line], seen: Counter[str]) -> tuple[Line, ...]:
    """Give each line that has no client_log_id a name that is the same when it comes again.

    It stands for everything the line says, and for how many equal ones came before it; ``seen``
    counts those, across calls of this function.
    """
    return tuple(_named(line, seen) for line in lines)


def attempt_by_content(line: Line) -> Attempt | None:
    if line.name is None:
        return None
    return Attempt(scope="usage.content", key=line.name, fingerprint=fingerprint_of(line.call))


def _named(line: Line, seen: Counter[str]) -> Line:
    if line.call.client_log_id is not None:
        return line
    content = fingerprint_of(Line(index=0, call=line.call, at=line.at))
    seen[content] += 1
    return Line(index=line.index, call=line.call, at=line.at, name=f"{content}:{seen[content]}")
