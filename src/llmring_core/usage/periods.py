"""Rules of time: which instants a question means, and where a time zone's days begin.

Inside, every period is half-open, ``start <= at < end``, in UTC.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from llmring_core.errors import InvalidField

QUARTER = timedelta(minutes=15)  # every zone in use begins its days on one
QUARTERS_A_DAY = 96
DEFAULT_DAYS = 30
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEARS = range(1970, 2200)


class Period(Struct, frozen=True, kw_only=True):
    start: datetime  # UTC, included
    end: datetime  # UTC, not included


class Day(Struct, frozen=True, kw_only=True):
    """One calendar day of a time zone: 24 hours, or 23 or 25 when its clocks change."""

    date: date
    start: datetime  # UTC
    end: datetime  # UTC, the next day's start


def zone_named(name: str | None) -> tzinfo:
    """Return the IANA time zone of that name, UTC for None. Raises InvalidField."""
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder's name is an OSError
        raise InvalidField("tz", "must be an IANA time zone such as Europe/Berlin") from None


def period_of(start: str | None, end: str | None, zone: tzinfo, now: datetime) -> Period:
    """Return the period that two request parameters mean at ``now`` (UTC).

    A bare date means its whole day in ``zone``, also as the end; an instant as the end is not
    included; an instant without an offset is meant in ``zone``. Without an end it is up to now,
    without a start the 30 days before the end's day.
    Raises: InvalidField when either is no date, or the start lies after the end.
    """
    until = _instant("end_date", end, zone, whole_day=True) if end else after_quarter(now)
    if start:
        since = _instant("start_date", start, zone, whole_day=False)
    else:
        last_day = (until - timedelta(microseconds=1)).astimezone(zone).date()
        since = _midnight(last_day - timedelta(days=DEFAULT_DAYS), zone)
    if since > until:
        raise InvalidField("start_date", "must not be after end_date")
    return Period(start=since, end=until)


def days_of(period: Period, zone: tzinfo) -> list[Day]:
    """Return the days of ``zone`` that ``period`` touches, in order."""
    if period.start >= period.end:
        return []
    day = period.start.astimezone(zone).date()
    starts = _midnight(day, zone)
    days = []
    while starts < period.end:
        following = day + timedelta(days=1)
        ends = _midnight(following, zone)
        # A zone that crossed the date line skipped a day; one that turned its clocks back over
        # midnight has an hour that reads as the day before, which is over.
        if max(starts, period.start) < ends:
            days.append(Day(date=day, start=starts, end=ends))
        day, starts = following, ends
    return days


def whole_quarters(period: Period) -> tuple[range, list[Period]]:
    """Split ``period`` into whole quarters of an hour and the pieces of quarters at its ends."""
    first, last = -(-(period.start - EPOCH) // QUARTER), quarter_of(period.end)
    if first > last:  # it lies within one quarter
        pieces = [period]
    else:
        head = Period(start=period.start, end=start_of(first))
        tail = Period(start=start_of(last), end=period.end)
        pieces = [head, tail]
    return range(first, last), [piece for piece in pieces if piece.start < piece.end]


def whole_days(quarters: range, days: Sequence[Day]) -> tuple[list[range], list[range]]:
    """Split ``quarters`` into runs that are days of UTC and of the zone at once, and the rest."""
    runs: list[range] = []
    for day in days:
        first, end = quarter_of(day.start), quarter_of(day.end)
        plain = first % QUARTERS_A_DAY == 0 and end - first == QUARTERS_A_DAY
        if not plain or first < quarters.start or end > quarters.stop:
            continue
        if runs and runs[-1].stop == first:
            first = runs.pop().start
        runs.append(range(first, end))
    edges = [quarters.start, *(edge for run in runs for edge in (run.start, run.stop))]
    gaps = zip(edges[::2], [*edges[1::2], quarters.stop], strict=True)
    return runs, [range(start, stop) for start, stop in gaps if start < stop]


def quarter_of(at: datetime) -> int:
    """Return how many whole quarters of an hour lie between 1970 and ``at`` (UTC)."""
    return (at - EPOCH) // QUARTER


def start_of(quarter: int) -> datetime:
    """Return the instant (UTC) at which that quarter of an hour since 1970 begins."""
    return EPOCH + quarter * QUARTER


def after_quarter(at: datetime) -> datetime:
    """Return the end of the quarter of an hour that ``at`` (UTC) lies in."""
    return start_of(quarter_of(at) + 1)


def first_of_week(day: date) -> date:
    """Return the Monday of the ISO week of ``day``."""
    return day - timedelta(days=day.weekday())


def first_of_month(day: date) -> date:
    return day.replace(day=1)


def _instant(field: str, text: str, zone: tzinfo, *, whole_day: bool) -> datetime:
    """Read a date or an instant; a date is its first moment, or the one after its last."""
    day = _bare_date(text)
    if day is not None:
        _check_year(field, day)
        return _midnight(day + timedelta(days=1) if whole_day else day, zone)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        rule = "must be a date such as 2026-11-20 or an instant such as 2026-11-20T12:00:00Z"
        raise InvalidField(field, rule) from None
    _check_year(field, instant)
    return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)


def _bare_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _check_year(field: str, day: date) -> None:
    if day.year not in YEARS:
        raise InvalidField(field, f"must lie between the years {YEARS[0]} and {YEARS[-1]}")


def _midnight(day: date, zone: tzinfo) -> datetime:
    """Return the first moment of ``day`` in ``zone``, in UTC.

    Where clocks go forward at midnight there is no 00:00; ``fold=0`` then reads as the offset
    before the change, which is the very moment of the change.
    """
    return datetime.combine(day, time(), zone).astimezone(UTC)
