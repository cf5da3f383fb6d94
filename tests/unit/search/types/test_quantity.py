"""Quantity parameters.   https://hl7.org/fhir/R4/search.html#quantity"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.search.types import Unreadable, quantity
from server.search.types.prefix import PREFIXES

UCUM = "http://unitsofmeasure.org"


def of(value: float, code: str | None = None, **more: Any) -> dict[str, Any]:
    coded = {} if code is None else {"system": UCUM, "code": code}
    return {"value": value, **coded, **more}


def matches(value: dict[str, Any], written: str, fhir_type: str = "Quantity") -> bool:
    (found,) = quantity.values(value, fhir_type)
    return quantity.matches(found, quantity.parse(written))


@pytest.mark.parametrize(
    ("written", "value", "expected"),
    [
        (f"5.4|{UCUM}|mg", of(5.4, "mg"), True),
        (f"5.4|{UCUM}|mg", of(5.44, "mg"), True),
        (f"5.4|{UCUM}|mg", of(5.45, "mg"), False),
        (f"5.4|{UCUM}|mg", of(0.0054, "g"), True),
        (f"5.4|{UCUM}|mg", of(5.4, "mL"), False),
        (f"5.40e-3|{UCUM}|g", of(5.4, "mg"), True),
        (f"5.40e-3|{UCUM}|g", of(5.41, "mg"), False),
        ("5.4||mg", of(5.4, "mg"), True),
        ("5.4||mg", of(5.4, unit="mg"), True),
        ("5.4||mg", of(0.0054, "g"), False),
        ("5.4", of(5.4, "mg"), True),
        ("5.4", of(5.4), True),
        (f"le5.4|{UCUM}|mg", of(5.4, "mg"), True),
        (f"le5.4|{UCUM}|mg", of(5.41, "mg"), False),
        (f"ap5.4|{UCUM}|mg", of(5.9, "mg"), True),
        (f"ap5.4|{UCUM}|mg", of(6.0, "mg"), False),
        (f"5.4|{UCUM}|", of(5.4, "mg"), True),
        (f"5.4|{UCUM}|", of(5.4, unit="mg"), False),
        ("5.4|http://example.org|mg", of(5.4, "mg"), False),
        ("5.4|http://example.org|u1", {"value": 5.4, "system": "http://example.org", "code": "u1"}, True),
        ("5.4|http://example.org|u1", {"value": 5.4, "system": "http://example.org", "code": "u2"}, False),
    ],
)
def test_the_examples_of_the_specification(written: str, value: dict[str, Any], expected: bool) -> None:
    assert matches(value, written) is expected


def test_one_gram_is_a_thousand_milligrams() -> None:
    assert matches(of(1, "g"), f"1000|{UCUM}|mg")
    assert matches(of(1000, "mg"), f"1|{UCUM}|g")
    assert matches(of(1000, "mg"), f"ge1|{UCUM}|g")
    assert not matches(of(1000, "mg"), f"gt1|{UCUM}|g")
    assert matches(of(23, "mm/h"), f"0.023|{UCUM}|m/h")
    assert matches(of(37, "Cel"), f"98.6|{UCUM}|[degF]")


@pytest.mark.parametrize(
    ("comparator", "true_for"),
    [
        ("<", "ne lt le ap eb"),
        ("<=", "ne lt le ap ge"),
        (">", "ne gt ge sa"),
        (">=", "ne gt ge ap le"),
    ],
)
def test_a_comparator_means_all_that_lies_on_its_side(comparator: str, true_for: str) -> None:
    value = of(5, "mg", comparator=comparator)
    found = {prefix for prefix in PREFIXES if matches(value, f"{prefix}5|{UCUM}|mg")}
    assert {"lt", "gt"} & found == {"lt", "gt"} & set(true_for.split())
    assert "eq" not in found
    assert matches(value, f"lt1|{UCUM}|mg") is comparator.startswith("<")
    assert matches(value, f"gt9|{UCUM}|mg") is comparator.startswith(">")


def test_money_is_a_quantity_of_its_currency() -> None:
    assert matches({"value": 30, "currency": "THB"}, "30|urn:iso:std:iso:4217|THB", "Money")
    assert matches({"value": 30, "currency": "THB"}, "30||THB", "Money")
    assert not matches({"value": 30, "currency": "THB"}, "30||USD", "Money")


def test_ranges_and_sampled_data() -> None:
    assert matches({"low": of(10, "a"), "high": of(12, "a")}, f"gt11|{UCUM}|a", "Range")
    assert not matches({"low": of(10, "a"), "high": of(12, "a")}, f"gt12|{UCUM}|a", "Range")
    assert matches({"origin": of(2, "mV"), "period": 10}, f"2|{UCUM}|mV", "SampledData")


def test_a_quantity_without_a_number_has_no_value() -> None:
    for value in ({}, {"unit": "mg"}, {"value": None}, "5 mg"):
        assert quantity.values(value, "Quantity") == []


@pytest.mark.parametrize("written", ["", "|", "||mg", "mg", "5|mg", "5|a|b|c", "5,4||mg", r"5||m\g"])
def test_what_is_no_quantity_is_refused(written: str) -> None:
    with pytest.raises(Unreadable):
        quantity.parse(written)


@given(
    st.decimals(min_value=-(10**9), max_value=10**9, places=4),
    st.sampled_from(["mg", "g", "mmol/L", "mm[Hg]", "Cel", "/min", "10*3/uL", "[lb_av]", "{score}", "%"]),
)
def test_a_quantity_equals_itself(value: Any, code: str) -> None:
    assert matches(of(float(value), code), f"{value}|{UCUM}|{code}")
    assert matches(of(float(value), code), f"{value}||{code}")


@given(
    st.decimals(min_value=0, max_value=10**6, places=3),
    st.sampled_from([("g", "mg", 3), ("m", "cm", 2), ("L", "dL", 1), ("kg", "g", 3), ("mol/L", "mmol/L", 3)]),
)
def test_a_quantity_equals_itself_in_another_unit(value: Any, units: tuple[str, str, int]) -> None:
    large, small, digits = units
    scaled = value.scaleb(digits)
    for prefix in ("", "ge", "le"):
        assert matches(of(float(value), large), f"{prefix}{scaled:f}|{UCUM}|{small}")
        assert matches(of(float(scaled), small), f"{prefix}{value:f}|{UCUM}|{large}")
