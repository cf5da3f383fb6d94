"""Date parameters: date, dateTime, instant, Period and Timing.   https://hl7.org/fhir/R4/search.html#date"""

from __future__ import annotations

import re
from typing import Any

from server.search.instant import interval, period, timing
from server.search.query import RangeOperand
from server.search.types.prefix import in_range, split_prefix
from server.search.types.written import Setting, Unreadable
from server.search.values import Date

MODIFIERS: frozenset[str] = frozenset()

# A `+` that was not percent-encoded arrives as a space: 10:00:00 07:00 is 10:00:00+07:00.
_LOST_PLUS = re.compile(r" (?=\d\d:\d\d$)")


def values(node: Any, fhir_type: str, setting: Setting) -> list[Date]:
    if isinstance(node, str):
        found = interval(node, setting.zone, instant=fhir_type == "instant")
    elif not isinstance(node, dict):
        return []
    elif fhir_type == "Timing":
        found = timing(node, setting.zone)
    else:
        found = period(node, setting.zone)
    return [] if found is None else [Date(*found)]


def parse(text: str, setting: Setting, now: int) -> RangeOperand:
    """now: microseconds UTC since 1970, for `ap`: a tenth of the gap to now on either side."""
    prefix, written = split_prefix(text)
    found = interval(_LOST_PLUS.sub("+", written.strip()), setting.zone)
    if found is None:
        raise Unreadable("expected a date such as 2024, 2024-05, 2024-05-31 or 2024-05-31T08:30:00+07:00")
    lower, upper = found
    if prefix == "ap":
        gap = max(lower - now, now - upper, 0) // 10
        lower, upper = lower - gap, upper + gap
    return RangeOperand(prefix, lower, upper, lower)


def matches(value: Date, operand: RangeOperand) -> bool:
    return in_range(value.lower, value.upper, operand)


def sort_key(value: Date) -> int:
    return value.lower
