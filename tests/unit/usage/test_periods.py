"""Which instants a question means."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmring_core.errors import InvalidField
from llmring_core.usage import Period, period_of, quarter_of, start_of, whole_quarters, zone_named
from tests.builders.kernel import NOON

BERLIN = ZoneInfo("Europe/Berlin")
QUARTER = timedelta(minutes=15)

instants = st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def means(start: str, end: str, zone: str = "UTC") -> Period:
    return period_of(start, end, zone_named(zone), NOON)


class TestPeriod:
    @pytest.mark.parametrize("day", ["2026-11-20", "20261120", "2026-W47-5", "2026W475"])
    def test_a_bare_date_is_its_whole_day_also_as_the_end(self, day: str) -> None:
        period = means(day, day, "Europe/Berlin")
        assert period == Period(start=at("2026-11-19T23:00Z"), end=at("2026-11-20T23:00Z"))

    def test_an_instant_as_the_end_is_not_included(self) -> None:
        period = means("2026-11-20T00:00:00Z", "2026-11-20T12:00:00.123456Z")
        assert (period.start, period.end) == (at("2026-11-20T00:00Z"), NOON)

    @pytest.mark.parametrize(
        "text",
        [
            "2026-11-20T13:00:00+01:00",
            "2026-11-20T12:00:00Z",
            "2026-11-20 12:00+00:00",
            "20261120T120000Z",
            "2026-11-21T02:00+14:00",
            "2026-11-20T00:00-12:00",
            "2026-11-20T13:00:00",  # in Berlin
            "2026-11-20T17:45+05:45",
        ],
    )
    def test_every_spelling_of_an_instant_means_the_same(self, text: str) -> None:
        assert means(text, text, "Europe/Berlin").start == at("2026-11-20T12:00Z")

    def test_an_instant_without_an_offset_is_meant_in_the_zone(self) -> None:
        period = means("2026-03-29T02:30", "2026-10-25T02:30", "Europe/Berlin")
        # One does not exist and one exists twice: the offset before the change counts.
        assert (period.start, period.end) == (at("2026-03-29T01:30Z"), at("2026-10-25T00:30Z"))

    def test_a_day_whose_midnight_does_not_exist_begins_with_the_change(self) -> None:
        period = means("2026-03-08", "2026-03-08", "America/Havana")
        assert period == Period(start=at("2026-03-08T05:00Z"), end=at("2026-03-09T04:00Z"))

    @pytest.mark.parametrize("absent", [None, ""])
    def test_without_an_end_it_lasts_until_now(self, absent: str | None) -> None:
        period = period_of("2026-11-20", absent, UTC, NOON)
        assert period.start <= NOON < period.end <= NOON + QUARTER
        assert period.end == start_of(quarter_of(period.end))

    def test_without_a_start_it_begins_30_days_before_the_day_of_its_end(self) -> None:
        assert period_of(None, "2026-11-20", UTC, NOON).start == at("2026-10-21T00:00Z")
        assert period_of(None, "2026-11-20T00:00:00Z", UTC, NOON).start == at("2026-10-20T00:00Z")
        assert period_of(None, None, BERLIN, NOON).start == at("2026-10-20T22:00Z")

    def test_it_may_be_empty(self) -> None:
        assert means("2026-11-20T12:00Z", "2026-11-20T12:00Z").start == at("2026-11-20T12:00Z")

    @pytest.mark.parametrize(
        ("start", "end"),
        [
            ("2026-11-21", "2026-11-20T00:00:00Z"),
            ("2026-11-21", "2026-11-19"),
            ("2026-11-20T12:00:00.000001Z", "2026-11-20T12:00:00Z"),
            ("2027-01-01", None),
        ],
    )
    def test_a_start_after_the_end_is_refused(self, start: str, end: str | None) -> None:
        with pytest.raises(InvalidField, match="start_date: must not be after end_date"):
            period_of(start, end, UTC, NOON)

    @pytest.mark.parametrize("field", ["start_date", "end_date"])
    @pytest.mark.parametrize(
        "text",
        [
            "yesterday",
            "2026",
            "2026-11",
            "2026-13-01",
            "2026-02-29",
            "2026-02-30T00:00:00Z",
            "2026-11-20T24:01:00Z",
            "2026-11-20T12:00:60Z",
            "2026-11-20T12:00:00+24:00",
            "1763640000",
            "1763640000000",
            "2026-11-20T12:00:00 01:00",
            " 2026-11-20",
            "2026-11-20\n",
            "2026-11-20\0",
            "\u0662\u0660\u0662\u0666-11-20",  # Arabic digits
            "\ud800",
            "-2026-11-20",
            "2026-11-20T12:00:00Z" * 1000,
            "NaN",
        ],
    )
    def test_what_is_no_date_is_refused(self, field: str, text: str) -> None:
        given = {"start_date": "2026-01-01", "end_date": "2026-12-31", field: text}
        with pytest.raises(InvalidField) as refusal:
            period_of(given["start_date"], given["end_date"], UTC, NOON)
        assert refusal.value.field == field

    @pytest.mark.parametrize(
        "text",
        [
            "0001-01-01",
            "0001-01-01T00:00:00+14:00",
            "1969-12-31",
            "1969-12-31T23:59:59.999999Z",
            "2200-01-01",
            "9999-12-31",
            "9999-12-31T23:59:59-14:00",
        ],
    )
    def test_a_year_nobody_means_is_refused(self, text: str) -> None:
        for start, end in ((text, "2026-11-20"), ("2026-11-20", text)):
            with pytest.raises(InvalidField, match="years 1970 and 2199"):
                period_of(start, end, UTC, NOON)

    @pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12"])
    def test_the_first_and_the_last_day_are_taken_in_every_zone(self, zone: str) -> None:
        period = means("1970-01-01", "2199-12-31", zone)
        assert abs(period.start - at("1970-01-01T00:00Z")) <= timedelta(hours=14)
        assert abs(period.end - at("2200-01-01T00:00Z")) <= timedelta(hours=14)

    @given(st.text(), st.none() | st.text(), st.sampled_from(["UTC", "Asia/Kathmandu"]))
    def test_no_text_at_all_is_worse_than_refused(
        self, start: str, end: str | None, zone: str
    ) -> None:
        try:
            period = period_of(start, end, zone_named(zone), NOON)
        except InvalidField:
            return
        assert period.start <= period.end


class TestZones:
    def test_without_a_name_it_is_utc(self) -> None:
        assert zone_named(None) is UTC

    @pytest.mark.parametrize(
        "name",
        [
            "",
            " ",
            "..",
            "/",
            "Europe",
            "Europe/",
            "Europe/Atlantis",
            "../etc/passwd",
            "/etc/passwd",
            "Europe/../Europe/Berlin",
            "a\0b",
            "é",
            "\ud800",
            "x" * 5000,
            "zone.tab",
            "tzdata.zi",
            "__init__.py",
            "UTC\n",
            "+01:00",
        ],
    )
    def test_what_is_no_zone_is_refused(self, name: str) -> None:
        with pytest.raises(InvalidField, match="tz: must be an IANA time zone"):
            zone_named(name)


class TestQuarters:
    @given(instants)
    def test_every_instant_lies_in_exactly_one(self, instant: datetime) -> None:
        quarter = quarter_of(instant)
        assert start_of(quarter) <= instant < start_of(quarter + 1)

    @given(
        st.tuples(instants, instants).map(sorted)
        | st.tuples(instants, st.timedeltas(timedelta(), 3 * QUARTER)).map(
            lambda pair: [pair[0], pair[0] + pair[1]]
        )
    )
    def test_whole_quarters_and_pieces_tile_the_period(self, ends: list[datetime]) -> None:
        period = Period(start=ends[0], end=ends[1])
        quarters, pieces = whole_quarters(period)
        tiles = [*pieces]
        if quarters:
            tiles.append(Period(start=start_of(quarters.start), end=start_of(quarters.stop)))
        tiles.sort(key=lambda tile: tile.start)
        reached = period.start
        for tile in tiles:
            assert tile.start == reached < tile.end
            reached = tile.end
        assert reached == period.end
        assert all(quarter_of(p.start) == quarter_of(p.end - timedelta.resolution) for p in pieces)
