"""Number parameters: decimals, integers and Ranges of numbers.   https://hl7.org/fhir/R4/search.html#number

The precision that counts is that of the search value: 100 finds [99.5, 100.5), 100.00 finds [99.995, 100.005);
with the other prefixes it is exactly 100. The number in the resource is the point that is written there, whatever
its digits, so 1 g is found by 1000 mg; as an interval it holds that one double. A Range is its limits.
"""

from __future__ import annotations

import math
import re
import sys
from decimal import Context, Decimal
from typing import Any

from server.search.query import RangeOperand
from server.search.types.prefix import in_range, split_prefix
from server.search.types.written import Unreadable
from server.search.values import Number

MODIFIERS: frozenset[str] = frozenset()

LOWEST, HIGHEST = -sys.float_info.max, sys.float_info.max
"""Open ends: the largest doubles, because infinity is no JSON."""

_NUMBER = re.compile(r"[+-]?\d{1,40}(?:\.\d{1,40})?([eE][+-]?\d{1,3})?", re.ASCII)
_EXACT = Context(prec=100)
_HALF, _TENTH = Decimal("0.5"), Decimal("0.1")


def values(node: Any, fhir_type: str) -> list[Number]:
    if fhir_type == "Range":
        return _range(node)
    found = as_float(node)
    return [] if found is None else [point(found)]


def as_float(node: Any) -> float | None:
    """The double of a JSON number (also one whose text was kept); None if it is none or beyond doubles."""
    if isinstance(node, bool | str | dict | list) or node is None:
        return None
    try:
        found = float(node)
    except OverflowError:  # a whole number with more than 308 digits
        return None
    return found if math.isfinite(found) else None


def point(number: float) -> Number:
    return Number(number, above(number), number)


def above(number: float) -> float:
    """The next double: [number, above(number)) holds exactly one."""
    return min(math.nextafter(number, math.inf), HIGHEST)


def _range(node: Any) -> list[Number]:
    if not isinstance(node, dict):
        return []
    low, high = (as_float(limit.get("value")) if isinstance(limit, dict) else None for limit in map(node.get, ENDS))
    return [] if low is None and high is None else [between(low, high)]


ENDS = ("low", "high")


def between(low: float | None, high: float | None) -> Number:
    """Closed range [low, high], None being open."""
    value = low if low is not None else high
    assert value is not None, "one end is given"
    return Number(LOWEST if low is None else low, HIGHEST if high is None else above(high), value)


def parse(text: str) -> RangeOperand:
    prefix, written = split_prefix(text.strip())
    return operand(prefix, number(written))


def number(written: str) -> tuple[Decimal, Decimal]:
    """The number, and half a unit of its last significant digit."""
    match = _NUMBER.fullmatch(written)
    if match is None:
        raise Unreadable("expected a number such as 5.4, -3 or 5.40e-3")
    value = Decimal(written)
    if not math.isfinite(float(value)):
        raise Unreadable("the number is too large")
    digits, exponent = value.as_tuple()[1:]
    assert isinstance(exponent, int), "a number, neither infinite nor NaN"
    if match[1] and len(digits) == 1:
        exponent -= 1  # the specification reads 1e2 as [95, 105): two digits at least in the exponential form
    return value, _HALF.scaleb(exponent, _EXACT)


def operand(prefix: str, written: tuple[Decimal, Decimal]) -> RangeOperand:
    """Operand of a prefix on a number and half its unit of precision."""
    value, half = written
    if prefix == "ap":
        half = max(half, _EXACT.multiply(abs(value), _TENTH))
    if prefix in ("eq", "ne", "ap"):
        return around(prefix, *(float(each) for each in (_EXACT.subtract(value, half), value, _EXACT.add(value, half))))
    return exactly(prefix, float(value))


def around(prefix: str, lower: float, value: float, upper: float) -> RangeOperand:
    """Where there are more digits than a double has, the interval still holds the one double."""
    return RangeOperand(prefix, max(min(lower, value), LOWEST), min(max(upper, above(value)), HIGHEST), value)


def exactly(prefix: str, value: float) -> RangeOperand:
    return RangeOperand(prefix, value, above(value), value)


def matches(value: Number, operand: RangeOperand) -> bool:
    return in_range(value.lower, value.upper, operand)


def sort_key(value: Number) -> float:
    return value.value
