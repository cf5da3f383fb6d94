"""Dates as intervals.   https://hl7.org/fhir/R4/search.html#date https://hl7.org/fhir/R4/datatypes.html#dateTime"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.search.instant import MAX, MIN, interval, milliseconds, period, timing

BANGKOK = ZoneInfo("Asia/Bangkok")
DAY = 86_400_000_000
SECOND = 1_000_000
HOURS_7 = 7 * 3600 * SECOND


def micros(text: str) -> int:
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("written", "lower", "upper"),
    [
        ("2013", "2013-01-01T00:00:00+07:00", "2014-01-01T00:00:00+07:00"),
        ("2000-04", "2000-04-01T00:00:00+07:00", "2000-05-01T00:00:00+07:00"),
        ("2000-12", "2000-12-01T00:00:00+07:00", "2001-01-01T00:00:00+07:00"),
        ("2024-02-29", "2024-02-29T00:00:00+07:00", "2024-03-01T00:00:00+07:00"),
        ("2013-01-14T10:00", "2013-01-14T10:00:00+07:00", "2013-01-14T10:01:00+07:00"),
        ("2013-01-14T10:00Z", "2013-01-14T10:00:00+00:00", "2013-01-14T10:01:00+00:00"),
        ("2013-01-14T10:00:00-05:30", "2013-01-14T10:00:00-05:30", "2013-01-14T10:00:01-05:30"),
        ("2013-01-14T10:00:00.1Z", "2013-01-14T10:00:00.100000+00:00", "2013-01-14T10:00:00.200000+00:00"),
        ("2013-01-14T10:00:00.123Z", "2013-01-14T10:00:00.123000+00:00", "2013-01-14T10:00:00.124000+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00", "2017-01-01T00:00:01+00:00"),
    ],
)
def test_a_date_stands_for_all_the_time_it_may_mean(written: str, lower: str, upper: str) -> None:
    assert interval(written, BANGKOK) == (micros(lower), micros(upper))


def test_years_from_0001_to_9999_have_intervals_in_any_zone() -> None:
    for zone in (BANGKOK, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Pago_Pago"), UTC):
        first, last = interval("0001", zone), interval("9999-12-31", zone)
        assert first is not None
        assert last is not None
        assert MIN < first[0] < first[1] < last[0] < last[1] < MAX
        assert last[1] - last[0] == DAY


def test_more_digits_than_microseconds_are_cut() -> None:
    assert interval("2013-01-14T10:00:00.1234567891Z", BANGKOK) == (
        micros("2013-01-14T10:00:00.123456+00:00"),
        micros("2013-01-14T10:00:00.123457+00:00"),
    )


@pytest.mark.parametrize(
    "written",
    [
        "", "13", "2013-13", "2013-02-30", "2013-1-1", "2013-01-14T10", "2013-01-14T24:00", "2013-01-14T10:60",
        "2013-01-14T10:00:61Z", "2013-01-14T10:00:00+15:00", "0000", "20130114", "2013-01-14 10:00", "๒๐๑๓",
        "2013-01-14T10:00:00.Z", "2013-01-14T10:00:00z", " 2013",
    ],
)  # fmt: skip
def test_what_is_no_date_has_no_interval(written: str) -> None:
    assert interval(written, BANGKOK) is None


def test_a_date_without_a_zone_is_read_in_the_zone_given_also_where_its_offset_was_odd() -> None:
    # Bangkok mean time was +06:42:04 until April 1920.
    found = interval("1900-01-01", BANGKOK)
    assert found is not None
    assert found[0] == micros("1900-01-01T00:00:00+00:00") - (6 * 3600 + 42 * 60 + 4) * SECOND


def test_an_instant_is_a_point_however_it_is_written() -> None:
    point = micros("2013-01-14T10:00:00+00:00")
    assert interval("2013-01-14T10:00:00Z", BANGKOK, instant=True) == (point, point + 1)


def test_a_period_runs_from_the_start_of_its_start_to_the_end_of_its_end() -> None:
    assert period({"start": "2013-01", "end": "2013-02-10"}, UTC) == (
        micros("2013-01-01T00:00:00+00:00"),
        micros("2013-02-11T00:00:00+00:00"),
    )


def test_an_open_period_has_the_outermost_end() -> None:
    assert period({"start": "2013"}, UTC) == (micros("2013-01-01T00:00:00+00:00"), MAX)
    assert period({"end": "2013"}, UTC) == (MIN, micros("2014-01-01T00:00:00+00:00"))
    assert period({}, UTC) is None


def test_of_a_timing_only_the_outer_limits_matter() -> None:
    value = {
        "event": ["2013-03-01", "2013-01-31"],
        "repeat": {"boundsPeriod": {"start": "2013-02-01", "end": "2013-03-24"}},
    }
    assert timing(value, UTC) == (micros("2013-01-31T00:00:00+00:00"), micros("2013-03-25T00:00:00+00:00"))
    assert timing({"repeat": {"frequency": 1}}, UTC) is None


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))
def test_every_precision_contains_the_finer_ones(moment: datetime) -> None:
    text = moment.replace(microsecond=0).isoformat()
    texts = [text[:4], text[:7], text[:10], text[:16] + "+07:00", text + "+07:00"]
    found = [interval(each, ZoneInfo("Etc/GMT-7")) for each in texts]
    for wide, narrow in pairwise(found):
        assert wide is not None
        assert narrow is not None
        assert wide[0] <= narrow[0] < narrow[1] <= wide[1]


@given(st.text(max_size=40))
def test_any_text_is_a_date_or_none(text: str) -> None:
    found = interval(text, BANGKOK)
    assert found is None or MIN < found[0] < found[1] < MAX


def test_last_updated_is_a_millisecond_wide() -> None:
    assert milliseconds(1) == (1000, 2000)
