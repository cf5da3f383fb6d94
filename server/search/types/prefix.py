"""The prefixes of ordered values: what eq ne gt lt ge le sa eb ap mean on half-open intervals.

The value of the resource is [lower, upper), the operand's another; "above" is what lies behind the operand's
interval, "below" what lies ahead of it. One table for dates, numbers and quantities.
https://hl7.org/fhir/R4/search.html#prefix
"""

from __future__ import annotations

from collections.abc import Callable

from server.search.query import RangeOperand

Test = Callable[[float, float, float, float], bool]

PREFIXES: dict[str, Test] = {
    # value's lower and upper, operand's lower and upper
    "eq": lambda low, high, start, end: start <= low and high <= end,
    "ne": lambda low, high, start, end: not (start <= low and high <= end),
    "gt": lambda low, high, start, end: high > end,
    "lt": lambda low, high, start, end: low < start,
    "ge": lambda low, high, start, end: high > end or (start <= low and high <= end),
    "le": lambda low, high, start, end: low < start or (start <= low and high <= end),
    "sa": lambda low, high, start, end: low >= end,
    "eb": lambda low, high, start, end: high <= start,
    "ap": lambda low, high, start, end: low < end and high > start,
}


def split_prefix(text: str) -> tuple[str, str]:
    """Prefix and the rest; "eq" if there is none."""
    return (text[:2], text[2:]) if text[:2] in PREFIXES else ("eq", text)


def in_range(lower: float, upper: float, operand: RangeOperand) -> bool:
    """Whether the interval of a resource's value satisfies the operand."""
    return PREFIXES[operand.prefix](lower, upper, operand.lower, operand.upper)
