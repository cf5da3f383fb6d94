"""Quantities of FHIRPath: UCUM units and calendar durations.

A code that is no UCUM compares with itself only. https://ucum.org/ucum http://hl7.org/fhirpath/N1/#time-valued-quantities
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import NamedTuple

from fhir_profiles import ucum

EXACT = Context(prec=34)
MAX_EXPONENT = 100

CALENDAR = {
    "millisecond": (Decimal("0.001"), "s"),
    "second": (Decimal(1), "s"),
    "minute": (Decimal(60), "s"),
    "hour": (Decimal(3600), "s"),
    "day": (Decimal(86400), "s"),
    "week": (Decimal(604800), "s"),
    "month": (Decimal(1), "month"),
    "year": (Decimal(12), "month"),
}
"""Calendar word -> factor and base. Months have no length in days, so they never compare with 'mo', 'a' or days."""

UCUM_CALENDAR = {"ms": "millisecond", "s": "second", "min": "minute", "h": "hour", "d": "day", "wk": "week"}
"""UCUM codes that date arithmetic takes like the words; 'mo' and 'a' are mean lengths and are refused."""


class _Scale(NamedTuple):
    base: str
    """What is measured: units with the same base can be compared."""
    factor: Decimal
    offset: Decimal = Decimal(0)


@lru_cache(maxsize=4096)
def _scale(code: str) -> _Scale:
    """Of a calendar word or a UCUM code; any other code has a base of its own."""
    if code in CALENDAR:
        factor, base = CALENDAR[code]
        return _Scale(base, factor)
    unit = ucum.canonical(code)
    return _Scale(f"={code}", Decimal(1)) if unit is None else _Scale(unit.code, unit.factor, unit.offset)


@dataclass(frozen=True, slots=True)
class Measure:
    """A System.Quantity."""

    value: Decimal
    unit: str
    """UCUM code, `1` for none, or a calendar word in the singular."""

    def __str__(self) -> str:
        text = decimal_text(self.value)
        if self.unit not in CALENDAR:
            return f"{text} '{self.unit}'"
        return f"{text} {self.unit}{'' if self.value == 1 else 's'}"


def decimal_text(value: Decimal) -> str:
    """The number without an exponent, unless that would be a very long text: `1e999999999` stays as it is."""
    exponent = int(value.as_tuple().exponent)
    return f"{value:f}" if -MAX_EXPONENT <= exponent <= MAX_EXPONENT else str(value)


def comparable(left: Measure, right: Measure) -> bool:
    """Whether the units measure the same thing."""
    return _scale(left.unit).base == _scale(right.unit).base


def _in_base(measure: Measure) -> Decimal:
    scale = _scale(measure.unit)
    return EXACT.multiply(EXACT.add(measure.value, scale.offset), scale.factor)


def compare(left: Measure, right: Measure) -> int | None:
    """-1, 0, 1; None where the units do not measure the same thing."""
    if left.unit == right.unit:
        one, other = left.value, right.value
    elif comparable(left, right):
        one, other = _in_base(left), _in_base(right)
    else:
        return None
    return (one > other) - (one < other)


def converted(measure: Measure, unit: str) -> Measure | None:
    """The measure in another unit; None where that is impossible."""
    if measure.unit == unit:
        return measure
    source, target = _scale(measure.unit), _scale(unit)
    if source.base != target.base:
        return None
    value = EXACT.subtract(EXACT.divide(_in_base(measure), target.factor), target.offset)
    return Measure(value, unit)


def equivalent(left: Measure, right: Measure) -> bool:
    """`~`: equal once rounded to the coarser number of digits.   http://hl7.org/fhirpath/N1/#equivalent"""
    there = converted(right, left.unit)
    return there is not None and same_rounded(left.value, there.value, _decimals(left.value), _decimals(right.value))


def _decimals(value: Decimal) -> int:
    return max(0, -int(value.as_tuple().exponent))


def same_rounded(left: Decimal, right: Decimal, left_decimals: int, right_decimals: int) -> bool:
    """Whether two numbers agree at the precision of the less precise one."""
    if max(abs(left.adjusted()), abs(right.adjusted()), left_decimals, right_decimals) > MAX_EXPONENT:
        return left == right
    step, context = Decimal(1).scaleb(-min(left_decimals, right_decimals)), Context(prec=3 * MAX_EXPONENT)
    return left.quantize(step, ROUND_HALF_UP, context) == right.quantize(step, ROUND_HALF_UP, context)


def equivalent_decimals(left: Decimal, right: Decimal) -> bool:
    return same_rounded(left, right, _decimals(left.normalize()), _decimals(right.normalize()))


def multiply(left: Measure, right: Measure) -> Measure:
    return Measure(EXACT.multiply(left.value, right.value), _joined(left.unit, right.unit, "."))


def divide(left: Measure, right: Measure) -> Measure | None:
    """None for a division by zero."""
    if not right.value:
        return None
    value = EXACT.divide(left.value, right.value)
    return Measure(value, "1" if left.unit == right.unit else _joined(left.unit, right.unit, "/"))


def _joined(left: str, right: str, operator: str) -> str:
    left, right = _as_ucum(left), _as_ucum(right)
    if right == "1":
        return left
    right = f"({right})" if any(each in right for each in "./") else right
    return right if left == "1" and operator == "." else f"{left}{operator}{right}"


def _as_ucum(unit: str) -> str:
    return next((code for code, word in UCUM_CALENDAR.items() if word == unit), unit)
