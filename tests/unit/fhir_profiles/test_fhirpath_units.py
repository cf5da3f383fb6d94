"""Quantities: UCUM units and calendar durations.   http://hl7.org/fhirpath/N1/#quantity"""

from __future__ import annotations

from decimal import Decimal

import pytest

from fhir_profiles.fhirpath.units import Measure, comparable, compare, converted, divide, equivalent, multiply
from fhir_profiles.fhirpath.values import measure


def quantity(text: str) -> Measure:
    amount, _, unit = text.partition(" ")
    return Measure(Decimal(amount), unit)


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        ("1 g", "1000 mg", 0),
        ("1 kg", "1000 mg", 1),
        ("7 day", "1 week", 0),
        ("7 day", "1 wk", 0),
        ("1 year", "12 month", 0),
        ("1 year", "1 a", None),
        ("1 month", "30 day", None),
        ("1 mg/dL", "10 mg/L", 0),
        ("37 Cel", "98.6 [degF]", 0),
        ("1 [iU]", "1 mg", None),
        ("1 lbs", "1 lbs", 0),
        ("1 lbs", "1 kg", None),
        ("1 |tablet", "2 |tablet", -1),
    ],
)
def test_order(left: str, right: str, order: int | None) -> None:
    assert compare(quantity(left), quantity(right)) == order
    assert comparable(quantity(left), quantity(right)) is (order is not None)


def test_calculations() -> None:
    assert compare(multiply(quantity("2 cm"), quantity("2 m")), quantity("0.04 m2")) == 0
    assert compare(divide(quantity("4 g"), quantity("2 m")) or quantity("0 m"), quantity("2 g/m")) == 0
    assert divide(quantity("4 g"), quantity("2 g")) == quantity("2 1")
    assert divide(quantity("4 g"), quantity("0 g")) is None
    assert compare(divide(quantity("6 g"), quantity("2 m/s")) or quantity("0 m"), quantity("3 g.s/m")) == 0
    assert converted(quantity("1 h"), "min") == Measure(Decimal(60), "min")
    assert converted(quantity("1 h"), "m") is None


def test_equivalence_rounds_to_the_coarser_number() -> None:
    assert equivalent(quantity("4 g"), quantity("4040 mg"))
    assert not equivalent(quantity("4.0 g"), quantity("4140.0 mg"))
    assert not equivalent(quantity("4 g"), quantity("4 s"))


def test_the_system_quantity_of_a_fhir_quantity() -> None:
    ucum = "http://unitsofmeasure.org"
    assert measure({"value": 1, "code": "mg", "system": ucum, "unit": "milligram"}) == quantity("1 mg")
    assert measure({"value": 1}) == quantity("1 1")
    assert measure({"value": 1, "unit": "tablet"}) == quantity("1 |tablet")
    assert measure({"value": 1, "code": "mg", "system": ucum, "comparator": "<"}) is None
    assert measure({"unit": "mg"}) is None
