"""Quantity parameters: Quantity and its kinds, Money, Range and SampledData.
https://hl7.org/fhir/R4/search.html#quantity

A UCUM unit is compared in base units, so 1 g is found by 1000|http://unitsofmeasure.org|mg. A quantity with a
comparator means all that lies on that side: `<5` is found by lt5, ge4 and le5, but not by eq4.
"""

from __future__ import annotations

import math
from decimal import Decimal
from functools import lru_cache
from typing import Any

from fhir_profiles import ucum
from server.search.query import QuantityOperand, RangeOperand
from server.search.types import number
from server.search.types.number import HIGHEST, LOWEST, above, as_float, between, point
from server.search.types.prefix import in_range, split_prefix
from server.search.types.remembered import Remembered
from server.search.types.written import Unreadable, split, unescape
from server.search.values import Number, Quantity

MODIFIERS: frozenset[str] = frozenset()

UCUM = "http://unitsofmeasure.org"
CURRENCIES = "urn:iso:std:iso:4217"

_WRITTEN = ("comparator", "system", "code", "unit")
_MONEY = ("comparator", "system", "currency", "currency")
_QUANTITIES = Remembered()
"""By number, comparator, system, code and unit."""


def values(node: Any, fhir_type: str) -> list[Quantity]:
    if not isinstance(node, dict):
        return []
    if fhir_type == "Range":
        return _range(node)
    if fhir_type == "SampledData":
        node = node.get("origin")
        return values(node, "Quantity")
    value = as_float(node.get("value"))
    if value is None:
        return []
    is_money = fhir_type == "Money"
    comparator, system, code, unit = (node.get(name) for name in (_MONEY if is_money else _WRITTEN))
    system = CURRENCIES if is_money else system
    key = value, comparator, system, code, unit
    try:
        known = _QUANTITIES.get(key)
    except TypeError:  # an array or an object where a text belongs
        return [_quantity(_compared(value, comparator), system, code, unit)]
    if known is None:
        known = _QUANTITIES.keep(key, [_quantity(_compared(value, comparator), system, code, unit)])
    return known


def _compared(value: float, comparator: Any) -> Number:
    if comparator is None:
        return point(value)
    if comparator == "<":
        return Number(LOWEST, value, value)
    if comparator == "<=":
        return Number(LOWEST, above(value), value)
    return Number(above(value) if comparator == ">" else value, HIGHEST, value)


def _range(node: dict[str, Any]) -> list[Quantity]:
    limits = [limit if isinstance(limit, dict) else {} for limit in map(node.get, number.ENDS)]
    low, high = (as_float(limit.get("value")) for limit in limits)
    if low is None and high is None:
        return []
    unit = limits[0] if low is not None else limits[1]
    return [_quantity(between(low, high), unit.get("system"), unit.get("code"), unit.get("unit"))]


def _quantity(written: Number, system: Any, code: Any, unit: Any) -> Quantity:
    system, code, unit = (text if isinstance(text, str) else None for text in (system, code, unit))
    canonical, canonical_code = written, code
    if system == UCUM and code is not None and (known := ucum.canonical(code)) is not None:
        last = math.nextafter(written.upper, LOWEST)  # so that what is closed stays closed whatever is rounded
        upper = HIGHEST if written.upper == HIGHEST else above(_base(last, code))
        canonical = Number(_base(written.lower, code), upper, _base(written.value, code))
        canonical_code = known.code
    return Quantity(written, system, code, unit, canonical, canonical_code)


def in_base_units(value: float, system: str | None, code: str | None) -> float:
    """The number of a unit as `values` gives it in `canonical`: never less for a larger one."""
    known = system == UCUM and code is not None and ucum.canonical(code) is not None
    return _base(value, code or "") if known else value


@lru_cache(maxsize=8192)
def _base(value: float, code: str) -> float:
    """The number in base units; open ends stay what they are."""
    if value in (LOWEST, HIGHEST):
        return value
    found = ucum.to_base(Decimal(repr(value)), code)
    assert found is not None, "a unit that UCUM knows"
    return max(LOWEST, min(HIGHEST, float(found[0])))


def parse(text: str) -> QuantityOperand:
    parts = split(text.strip(), "|")
    if len(parts) not in (1, 3):
        raise Unreadable("expected number, number|system|code or number||unit")
    prefix, written = split_prefix(parts[0])
    value = number.number(written)
    plain = number.operand(prefix, value)
    system, code = (unescape(part) or None for part in parts[1:]) if len(parts) == 3 else (None, None)
    if system != UCUM or code is None or (known := ucum.canonical(code)) is None:
        return QuantityOperand(plain, system, code, None, None)
    return QuantityOperand(plain, system, code, _canonical_range(plain, value, code), known.code)


def _canonical_range(plain: RangeOperand, written: tuple[Decimal, Decimal], code: str) -> RangeOperand:
    value, half = written
    middle = _exact(value, code)
    if plain.prefix == "ap":
        half = max(half, abs(value) / 10)
    if plain.prefix in ("eq", "ne", "ap"):
        return number.around(plain.prefix, _exact(value - half, code), middle, _exact(value + half, code))
    return number.exactly(plain.prefix, middle)


def _exact(value: Decimal, code: str) -> float:
    found = ucum.to_base(value, code)
    assert found is not None, "a unit that UCUM knows"
    return max(LOWEST, min(HIGHEST, float(found[0])))


def matches(value: Quantity, operand: QuantityOperand) -> bool:
    if operand.canonical is not None:
        return (
            value.system == operand.system
            and value.canonical_code == operand.canonical_code
            and in_range(value.canonical.lower, value.canonical.upper, operand.canonical)
        )
    if not in_range(value.number.lower, value.number.upper, operand.range):
        return False
    if operand.system is not None:
        return value.system == operand.system and operand.code in (None, value.code)
    return operand.code is None or operand.code in (value.code, value.unit)


def sort_key(value: Quantity) -> float:
    return value.canonical.value
