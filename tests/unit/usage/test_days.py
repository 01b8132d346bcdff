"""The days of a time zone tile every period, whatever its clocks did."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmring_core.usage import Day, Period, days_of, quarter_of, start_of
from tests.builders.kernel import MICROSECOND

ZONES = sorted(available_timezones())
HOUR = timedelta(hours=1)

zones = st.sampled_from(ZONES).map(ZoneInfo)
# Since 1980 every zone begins its days on a quarter of an hour.
starts = st.datetimes(datetime(1980, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
lengths = st.timedeltas(timedelta(), timedelta(days=400))


def lengths_of(zone: str, first: date, last: date) -> dict[str, float]:
    """Return the hours of the days that are not 24 long."""
    start = datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(zone))
    end = datetime(last.year, last.month, last.day, tzinfo=ZoneInfo(zone)) + timedelta(days=1)
    period = Period(start=start.astimezone(UTC), end=end.astimezone(UTC))
    hours = {str(day.date): (day.end - day.start) / HOUR for day in days_of(period, ZoneInfo(zone))}
    return {day: length for day, length in hours.items() if length != 24}


@pytest.mark.parametrize(
    ("zone", "odd_days"),
    [
        ("UTC", {}),
        ("Asia/Kathmandu", {}),
        ("Asia/Kolkata", {}),
        ("Europe/Berlin", {"2026-03-29": 23, "2026-10-25": 25}),
        ("America/New_York", {"2026-03-08": 23, "2026-11-01": 25}),
        ("Australia/Lord_Howe", {"2026-04-05": 24.5, "2026-10-04": 23.5}),
        ("America/Havana", {"2026-03-08": 23, "2026-11-01": 25}),  # at midnight
        ("Asia/Beirut", {"2026-03-29": 23, "2026-10-24": 25}),  # at midnight
        ("America/Scoresbysund", {"2026-03-28": 23, "2026-10-24": 25}),  # at 23:00 and 00:00
        ("Antarctica/Troll", {"2026-03-29": 22, "2026-10-25": 26}),
    ],
)
def test_days_are_as_long_as_the_zone_says(zone: str, odd_days: dict[str, float]) -> None:
    assert lengths_of(zone, date(2026, 1, 1), date(2026, 12, 31)) == odd_days


@pytest.mark.parametrize(
    ("zone", "skipped"),
    [("Pacific/Apia", date(2011, 12, 30)), ("Pacific/Kwajalein", date(1993, 8, 21))],
)
def test_a_day_that_the_zone_skipped_is_none(zone: str, skipped: date) -> None:
    around = Period(
        start=datetime(skipped.year, skipped.month, skipped.day, tzinfo=UTC) - 48 * HOUR,
        end=datetime(skipped.year, skipped.month, skipped.day, tzinfo=UTC) + 48 * HOUR,
    )
    dates = [day.date for day in days_of(around, ZoneInfo(zone))]
    assert skipped not in dates
    assert {skipped - timedelta(days=1), skipped + timedelta(days=1)} <= {*dates}


def test_an_hour_that_reads_as_yesterday_belongs_to_the_day_that_has_begun() -> None:
    zone = ZoneInfo("America/St_Johns")  # turned its clocks back at 00:01, to 23:01
    back = datetime(2010, 11, 7, 2, 31, tzinfo=UTC)
    (day,) = days_of(Period(start=back, end=back + HOUR), zone)
    assert back.astimezone(zone).date() == date(2010, 11, 6)
    assert day == Day(
        date=date(2010, 11, 7),
        start=back - timedelta(minutes=1),
        end=datetime(2010, 11, 8, 3, 30, tzinfo=UTC),
    )


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
def test_an_empty_period_has_no_days(zone: str) -> None:
    at = datetime(2026, 11, 20, 12, 34, 56, tzinfo=UTC)
    assert days_of(Period(start=at, end=at), ZoneInfo(zone)) == []


@pytest.mark.parametrize("end", [timedelta(), MICROSECOND])
def test_midnight_ends_a_day_and_a_microsecond_more_begins_the_next(end: timedelta) -> None:
    midnight = datetime(2026, 11, 20, tzinfo=UTC)
    days = days_of(Period(start=midnight - HOUR, end=midnight + end), UTC)
    assert [day.date.day for day in days] == [19, 20][: 2 if end else 1]


@settings(max_examples=400)
@given(zones, starts, lengths)
def test_days_tile_every_period_in_every_zone(
    zone: ZoneInfo, start: datetime, length: timedelta
) -> None:
    period = Period(start=start, end=start + length)
    days = days_of(period, zone)
    if not length:
        assert days == []
        return
    assert days[0].start <= period.start and period.end <= days[-1].end
    for day, following in pairwise(days):
        assert day.end == following.start and day.date < following.date
    for day in days:
        assert day.start < day.end
        assert day.start < period.end and period.start < day.end
        assert start_of(quarter_of(day.start)) == day.start
        assert day.start.astimezone(zone).date() == day.date


@settings(max_examples=400)
@given(zones, starts)
def test_an_instant_lies_in_the_day_its_zone_calls_it(zone: ZoneInfo, at: datetime) -> None:
    (day,) = days_of(Period(start=at, end=at + MICROSECOND), zone)
    assert day.start <= at < day.end
    if at.astimezone(zone).date() != day.date:  # only after clocks went back over midnight
        assert at.astimezone(zone).fold == 1
