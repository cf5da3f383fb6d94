"""Number parameters.   https://hl7.org/fhir/R4/search.html#number"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.search.types import Unreadable, number
from server.search.types.prefix import PREFIXES


def matches(value: Any, written: str, fhir_type: str = "decimal") -> bool:
    (found,) = number.values(value, fhir_type)
    return number.matches(found, number.parse(written))


@pytest.mark.parametrize(
    ("written", "lower", "upper"),
    [
        ("100", 99.5, 100.5),
        ("100.00", 99.995, 100.005),
        ("1e2", 95.0, 105.0),
        ("1.00e2", 99.5, 100.5),
        ("5.40e-3", 0.005395, 0.005405),
        ("-5.4", -5.45, -5.35),
        ("0", -0.5, 0.5),
        ("+3", 2.5, 3.5),
    ],
)
def test_the_precision_is_that_of_the_search_value(written: str, lower: float, upper: float) -> None:
    operand = number.parse(written)
    assert (operand.prefix, operand.lower, operand.upper) == ("eq", lower, upper)


@pytest.mark.parametrize(
    ("written", "value", "expected"),
    [
        ("100", 99.5, True),
        ("100", 100.49, True),
        ("100", 100.5, False),
        ("100", 99.49, False),
        ("100.00", 100.004, True),
        ("100.00", 100.005, False),
        ("1e2", 104.9, True),
        ("ne100", 100.5, True),
        ("ne100", 100, False),
        ("lt100", 99.9999, True),
        ("lt100", 100, False),
        ("le100", 100, True),
        ("le100", 100.0001, False),
        ("gt100", 100, False),
        ("gt100", 100.0001, True),
        ("ge100", 100, True),
        ("sa100", 100, False),
        ("sa100", 100.1, True),
        ("eb100", 99.9, True),
        ("eb100", 100, False),
        ("ap100", 90, True),
        ("ap100", 89.9, False),
        ("ap100", 109.9, True),
        ("ap0", 0.4, True),
        ("gt0.8", 0.81, True),
        ("gt8e-1", 0.8, False),
    ],
)
def test_the_examples_of_the_specification(written: str, value: float, expected: bool) -> None:
    assert matches(value, written) is expected


def test_integers_match_exactly_and_never_a_fraction() -> None:
    assert matches(2, "2", "integer")
    assert not matches(3, "2", "integer")
    assert not matches(2, "2.5", "integer")
    assert not matches(2, "2.04", "integer")


def test_a_range_is_its_limits() -> None:
    value = {"low": {"value": 0.2}, "high": {"value": 0.4}}
    true = {prefix for prefix in PREFIXES if matches(value, f"{prefix}0.3", "Range")}
    assert true == {"ne", "gt", "lt", "ge", "le", "ap"}
    assert matches(value, "le0.4", "Range")
    assert not matches(value, "gt0.4", "Range")
    assert matches({"low": {"value": 5}}, "gt1000000", "Range")
    assert matches({"high": {"value": 5}}, "lt-1000000", "Range")


@pytest.mark.parametrize(
    "written", ["", "eq", "x", "1,5", "0x10", "1e", ".5", "5.", "1e9999", "NaN", "Infinity", "--1", "1_000", "๑"]
)
def test_what_is_no_number_is_refused(written: str) -> None:
    with pytest.raises(Unreadable):
        number.parse(written)


def test_elements_that_are_no_numbers_have_no_value() -> None:
    for value in (None, True, "5", {}, [], {"low": {}}):
        assert number.values(value, "Range") == number.values(value, "decimal") == []


DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30, places=8)


@pytest.mark.parametrize("beyond", [10**309, -(10**400)])
def test_a_whole_number_beyond_doubles_has_no_value(beyond: int) -> None:
    assert number.values(beyond, "decimal") == []


@given(DECIMALS)
def test_a_number_equals_itself(value: Decimal) -> None:
    assert matches(float(value), f"{value:f}")


@given(DECIMALS, DECIMALS)
def test_comparisons_are_those_of_doubles(value: Decimal, written: Decimal) -> None:
    one, other = float(value), float(written)
    assert matches(one, f"gt{written:f}") == matches(one, f"sa{written:f}") == (one > other)
    assert matches(one, f"lt{written:f}") == matches(one, f"eb{written:f}") == (one < other)
    assert matches(one, f"ge{written:f}") == (one >= other)
    assert matches(one, f"le{written:f}") == (one <= other)
