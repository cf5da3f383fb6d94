"""Date parameters.   https://hl7.org/fhir/R4/search.html#date https://hl7.org/fhir/R4/search.html#prefix"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.search.types import Setting, Unreadable, date
from server.search.types.prefix import PREFIXES
from server.search.values import Date

SETTING = Setting(ZoneInfo("Asia/Bangkok"), ())
NOW = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z in microseconds."""

FROM_15_MARCH = {"start": "2013-03-15"}
FROM_21_JANUARY = {"start": "2013-01-21"}
UNTIL_21_JANUARY = {"end": "2013-01-21"}


def matches(value: Any, written: str, fhir_type: str | None = None) -> bool:
    fhir_type = fhir_type or ("dateTime" if isinstance(value, str) else "Period")
    (found,) = date.values(value, fhir_type, SETTING)
    return date.matches(found, date.parse(written, SETTING, NOW))


@pytest.mark.parametrize(
    ("written", "value", "expected"),
    [
        ("eq2013-01-14", "2013-01-14T00:00:00+07:00", True),
        ("eq2013-01-14", "2013-01-14T10:00:00+07:00", True),
        ("eq2013-01-14", "2013-01-15T00:00:00+07:00", False),
        ("ne2013-01-14", "2013-01-15T00:00:00+07:00", True),
        ("ne2013-01-14", "2013-01-14T00:00:00+07:00", False),
        ("ne2013-01-14", "2013-01-14T10:00:00+07:00", False),
        ("lt2013-01-14T10:00", "2013-01-14", True),
        ("gt2013-01-14T10:00", "2013-01-14", True),
        ("ge2013-03-14", FROM_21_JANUARY, True),
        ("le2013-03-14", FROM_21_JANUARY, True),
        ("sa2013-03-14", FROM_15_MARCH, True),
        ("sa2013-03-14", FROM_21_JANUARY, False),
        ("sa2013-03-14", UNTIL_21_JANUARY, False),
        ("eb2013-03-14", FROM_15_MARCH, False),
        ("eb2013-03-14", FROM_21_JANUARY, False),
        ("eb2013-03-14", UNTIL_21_JANUARY, True),
        ("ap2013-03-14", "2013-03-14", True),
        # 21-Jan 2013 is near 14-Mar 2013 for a tenth of the twelve years to now; 15-Jun 2015 is not.
        ("ap2013-03-14", "2015-06-15", False),
    ],
)
def test_the_examples_of_the_specification(written: str, value: Any, expected: bool) -> None:
    assert matches(value, written) is expected


@pytest.mark.parametrize(
    ("value", "true_for"),
    [
        # The search value is the month 2020-05.
        ("2020-05-15", "eq ge le ap"),
        ("2020-05", "eq ge le ap"),
        ("2020", "ne gt lt ge le ap"),
        ("2020-04-30", "ne lt le eb ap"),
        ("2020-04-30T23:59:59+07:00", "ne lt le eb ap"),
        ("2020-06-01", "ne gt ge sa ap"),
        ("2019", "ne lt le eb ap"),
        ("2021", "ne gt ge sa"),
        ({"start": "2020-05-10"}, "ne gt ge ap"),
        ({"end": "2020-05-10"}, "ne lt le ap"),
        ({"start": "2020-04", "end": "2020-05-10"}, "ne lt le ap"),
        ({"start": "2020-05-10", "end": "2020-06"}, "ne gt ge ap"),
        ({"start": "2020-04", "end": "2020-06"}, "ne gt lt ge le ap"),
    ],
)
def test_each_prefix_by_the_letter_of_the_table(value: Any, true_for: str) -> None:
    # `ap` is widened by a tenth of the gap from the end of May 2020 to now: some 204 days.
    found = {prefix for prefix in PREFIXES if matches(value, f"{prefix}2020-05")}
    assert found == set(true_for.split())


def test_ap_of_a_time_that_contains_now_is_the_interval_itself() -> None:
    operand = date.parse("ap2026", SETTING, NOW)
    assert operand[1:3] == date.parse("eq2026", SETTING, NOW)[1:3]
    assert matches("2026-12-31", "ap2026")
    assert not matches("2027-01-01", "ap2026")


def test_ap_reaches_a_tenth_of_the_gap_to_now_on_either_side() -> None:
    # From the end of 2015-12-31 in Bangkok to now are 3,653 days and 7 hours.
    assert matches("2015-01-02", "ap2015-12-31")
    assert not matches("2014-12-29", "ap2015-12-31")
    assert matches("2016-12-30", "ap2015-12-31")


def test_zones_are_minded() -> None:
    assert matches("2020-05-01T23:00:00Z", "2020-05-02")
    assert not matches("2020-05-01T23:00:00Z", "2020-05-01")
    assert matches("2020-05-02T06:00:00+07:00", "2020-05-01T23:00:00Z")


def test_an_instant_matches_its_second_and_its_millisecond() -> None:
    value = "2020-05-01T10:00:00.123+07:00"
    assert matches(value, "2020-05-01T10:00:00+07:00", "instant")
    assert matches(value, "2020-05-01T10:00:00.123+07:00", "instant")
    assert not matches(value, "2020-05-01T10:00:00.124+07:00", "instant")


def test_a_plus_that_was_not_encoded_is_understood() -> None:
    assert date.parse("2020-05-01T10:00:00 07:00", SETTING, NOW) == date.parse(
        "2020-05-01T10:00:00+07:00", SETTING, NOW
    )


@pytest.mark.parametrize(
    "written", ["", "eq", "yesterday", "2020-13", "2020-02-30", "eqeq2020", "2020-05-01T10", "$gt"]
)
def test_what_is_no_date_is_refused(written: str) -> None:
    with pytest.raises(Unreadable):
        date.parse(written, SETTING, NOW)


def test_elements_that_are_no_dates_have_no_value() -> None:
    assert date.values("soon", "string", SETTING) == []
    assert date.values({"extension": []}, "Period", SETTING) == []
    assert date.values({"value": 40, "unit": "a"}, "Age", SETTING) == []


DATES = st.dates().map(str) | st.dates().map(lambda day: str(day)[:7]) | st.integers(1, 9999).map("{:04}".format)


@given(DATES)
def test_a_date_equals_itself(written: str) -> None:
    assert matches(written, written)
    assert not matches(written, f"ne{written}")


@given(DATES, DATES)
def test_prefixes_agree_with_each_other(value: str, written: str) -> None:
    true = {prefix for prefix in PREFIXES if matches(value, prefix + written)}
    assert ("eq" in true) != ("ne" in true)
    assert ("ge" in true) == ("gt" in true or "eq" in true)
    assert ("le" in true) == ("lt" in true or "eq" in true)
    assert "sa" not in true or "gt" in true
    assert "eb" not in true or "lt" in true
    assert len(true & {"sa", "eb", "eq"}) <= 1
    assert "eq" not in true or "ap" in true


def test_a_sort_key_is_where_the_value_begins() -> None:
    assert date.sort_key(Date(5, 9)) == 5
