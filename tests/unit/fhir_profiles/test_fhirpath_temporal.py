"""Dates and times of any precision.   http://hl7.org/fhirpath/N1/#comparison http://hl7.org/fhirpath/N1/#datetime-arithmetic"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_profiles.fhirpath.temporal import Moment, add, boundary, compare, digits, read_moment


def moment(text: str) -> Moment:
    found = read_moment(text.removeprefix("T"), "Time" if text.startswith("T") else "DateTime")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        ("2012", "2013", -1),
        ("2012", "2012", 0),
        ("2012", "2012-04", None),
        ("2012-04", "2013-01-01", -1),
        ("2012-04-15T10:00", "2012-04-15T10:00:00", None),
        ("2012-04-15T10:00:00", "2012-04-15T10:00:00.0", 0),
        ("2012-04-15T10:00:00", "2012-04-15T10:00:00.1", -1),
        ("2012-04-15T15:00:00+02:00", "2012-04-15T16:00:00+03:00", 0),
        ("2012-04-15T23:30:00-05:00", "2012-04-16T01:00:00Z", 1),
        ("2012-04-15T10:00:00Z", "2012-04-15T11:00:00", None),
        ("2012-04-15T10:00:00Z", "2012-04-17", -1),
        ("2012-04-15", "2012-04-15T10:00:00Z", None),
        ("T10:00", "T10:01", -1),
        ("T10:00", "T10:00:00", None),
        ("T10:00", "2012", None),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", -1),
        ("9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z", 1),
    ],
)
def test_order_is_open_where_precision_or_zone_leave_it_open(left: str, right: str, order: int | None) -> None:
    assert compare(moment(left), moment(right)) == order
    assert compare(moment(right), moment(left)) == (None if order is None else -order)


@pytest.mark.parametrize(
    ("start", "amount", "unit", "result"),
    [
        ("1973-12-25", "7.7", "day", "1974-01-01"),
        ("2020-01-31", "1", "month", "2020-02-29"),
        ("2020-02-29", "-1", "year", "2019-02-28"),
        ("2014", "24", "month", "2016"),
        ("2014", "-1", "month", "2014"),
        ("2014-05", "45", "day", "2014-06"),
        ("2014-05-01", "36", "hour", "2014-05-02"),
        ("2014-05-01T10", "90", "minute", "2014-05-01T11"),
        ("2014-12-31T23:59:59.90Z", "0.2", "second", "2015-01-01T00:00:00.10Z"),
        ("2014-12-31T23:59:59+07:00", "1000", "millisecond", "2015-01-01T00:00:00+07:00"),
        ("2014-12-31", "2", "week", "2015-01-14"),
        ("T23:59:59", "2", "second", "00:00:01"),
        ("T00:30", "-1", "hour", "23:30"),
        ("T10", "90", "minute", "11"),
        ("T10:00", "1", "day", "10:00"),
        ("9999-12-31", "1", "day", None),
        ("0001", "-1", "year", None),
        ("2014", "1e30", "year", None),
    ],
)
def test_calendar_arithmetic(start: str, amount: str, unit: str, result: str | None) -> None:
    found = add(moment(start), Decimal(amount), unit)
    assert (None if found is None else str(found)) == result


@pytest.mark.parametrize(
    ("text", "precision", "low", "high"),
    [
        ("2014", 4, "2014", "2014"),
        ("2014", 8, "2014-01-01", "2014-12-31"),
        ("2016-02", 8, "2016-02-01", "2016-02-29"),
        ("2014-01-01T08:05", 12, "2014-01-01T08:05", "2014-01-01T08:05"),
        ("2014-01-01", 17, "2014-01-01T00:00:00.000+14:00", "2014-01-01T23:59:59.999-12:00"),
        ("2014-01-01T08:05:06Z", 17, "2014-01-01T08:05:06.000Z", "2014-01-01T08:05:06.000Z"),
        ("T10", 4, "10:00", "10:59"),
        ("T10:30", 9, "10:30:00.000", "10:30:59.999"),
        ("2014", 5, None, None),
        ("T10", 17, None, None),
    ],
)
def test_boundaries(text: str, precision: int, low: str | None, high: str | None) -> None:
    for wanted, is_high in ((low, False), (high, True)):
        found = boundary(moment(text), precision, high=is_high)
        assert (None if found is None else str(found)) == wanted


def test_digits_count_what_was_written() -> None:
    texts = ("2014", "2014-01", "2014-01-05T10:30:00.000", "T10:30", "T10:30:00.000")
    assert [digits(moment(text)) for text in texts] == [4, 6, 17, 4, 9]


@pytest.mark.parametrize(
    "text", ["", "20", "2014-1", "2014-13", "2014-02-30", "2014T10", "2014-01-01T24:00", "x", "๒๐๑๔"]
)
def test_other_texts_are_no_moments(text: str) -> None:
    assert read_moment(text, "DateTime") is None


ZONES = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=ZONES)


@given(INSTANTS, INSTANTS)
def test_instants_compare_as_python_does(left: datetime, right: datetime) -> None:
    order = compare(moment(left.isoformat()), moment(right.isoformat()))
    assert order == (left > right) - (left < right)


@given(INSTANTS, st.integers(-(10**5), 10**5), st.sampled_from(["day", "hour", "minute", "second"]))
def test_definite_units_move_as_python_does(start: datetime, amount: int, unit: str) -> None:
    found = add(moment(start.isoformat()), Decimal(amount), unit)
    assert compare(found or moment("0001"), moment((start + timedelta(**{unit + "s": amount})).isoformat())) == 0


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 1, 1)), st.integers(1, 6))
def test_text_and_moment_are_the_same(when: datetime, precision: int) -> None:
    text = when.isoformat(timespec="seconds")[: (4, 7, 10, 13, 16, 19)[precision - 1]]
    assert str(moment(text)) == text
    assert moment(text).precision == precision
