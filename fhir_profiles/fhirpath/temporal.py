"""Dates, dateTimes and times of any precision: reading, comparing, calendar arithmetic, boundaries.

http://hl7.org/fhirpath/N1/#datetime-equality http://hl7.org/fhirpath/N1/#comparison
http://hl7.org/fhirpath/N1/#datetime-arithmetic
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from functools import lru_cache
from typing import NamedTuple

Kind = str
"""Date DateTime Time"""

_CALENDAR = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?(?:T(?:(\d\d)(?::(\d\d)(?::(\d\d(?:\.\d+)?))?)?(Z|[+-]\d\d:\d\d)?)?)?\Z", re.ASCII
)
_CLOCK = re.compile(r"(\d\d)(?::(\d\d)(?::(\d\d(?:\.\d+)?))?)?\Z", re.ASCII)

# A place without a stated zone is somewhere between UTC-12 and UTC+14.
_EAST, _WEST = 14 * 60, -12 * 60


class Moment(NamedTuple):
    """A point or stretch of time as precise as it was written."""

    kind: Kind
    parts: tuple[int, ...]
    """year month day hour minute, or hour minute: as many as were given."""
    second: Decimal | None
    """With its fraction as written; FHIRPath counts seconds and milliseconds as one precision."""
    zone: int | None
    """Minutes east of UTC."""

    @property
    def precision(self) -> int:
        """Number of components."""
        return len(self.parts) + (self.second is not None)

    def __str__(self) -> str:
        parts = self.parts
        texts = [f"{parts[0]:04}" if self.kind != "Time" else f"{parts[0]:02}", *(f"{each:02}" for each in parts[1:])]
        if self.second is not None:
            texts.append(_second_text(self.second))
        if self.kind == "Time":
            return ":".join(texts)
        text = "-".join(texts[:3])
        if len(texts) > 3:
            text += "T" + ":".join(texts[3:])
        return text + _zone_text(self.zone)


def _second_text(second: Decimal) -> str:
    whole, dot, fraction = f"{second:f}".partition(".")
    return whole.zfill(2) + dot + fraction


def _zone_text(zone: int | None) -> str:
    if zone is None:
        return ""
    if zone == 0:
        return "Z"
    return f"{'-' if zone < 0 else '+'}{abs(zone) // 60:02}:{abs(zone) % 60:02}"


def _zone(text: str | None) -> int | None:
    if text is None:
        return None
    if text == "Z":
        return 0
    minutes = int(text[1:3]) * 60 + int(text[4:6])
    return -minutes if text[0] == "-" else minutes


@lru_cache(maxsize=8192)
def read_moment(text: str, kind: Kind) -> Moment | None:
    """The moment that a text stands for; None if it is none. A DateTime may be written without `T`."""
    if kind == "Time":
        found = _CLOCK.match(text)
        if found is None:
            return None
        numbers = [int(each) for each in found.group(1, 2) if each is not None]
        second, zone = found[3], None
        fits = numbers[0] < 24 and (len(numbers) < 2 or numbers[1] < 60)
    else:
        found = _CALENDAR.match(text)
        if found is None or (kind == "Date" and "T" in text):
            return None
        numbers = [int(each) for each in found.group(1, 2, 3, 4, 5) if each is not None]
        if found[4] is not None and found[3] is None:
            return None
        second, zone = found[6], _zone(found[7])
        fits = _fits_calendar(numbers)
    if not fits or (second is not None and Decimal(second) >= 61):
        return None
    return Moment(kind, tuple(numbers), None if second is None else Decimal(second), zone)


def _fits_calendar(numbers: list[int]) -> bool:
    year, *rest = numbers
    if year < 1 or (rest and not 1 <= rest[0] <= 12):
        return False
    if len(rest) > 1 and not 1 <= rest[1] <= monthrange(year, rest[0])[1]:
        return False
    return all(value < bound for value, bound in zip(rest[2:], (24, 60), strict=False))


def _filled(moment: Moment, high: bool) -> tuple[datetime, Decimal]:
    """First or last minute that the moment can mean, where it is, and the second in it."""
    parts = list(moment.parts)
    if len(parts) == 1:
        parts.append(12 if high else 1)
    if len(parts) == 2:
        parts.append(monthrange(parts[0], parts[1])[1] if high else 1)
    if len(parts) == 3:
        parts.append(23 if high else 0)
    if len(parts) == 4:
        parts.append(59 if high else 0)
    second = moment.second if moment.second is not None else Decimal("59.999999999" if high else "0")
    year, month, day, hour, minute = parts
    return datetime(year, month, day, hour, minute), second


def _instant(moment: Moment, high: bool) -> tuple[int, Decimal]:
    """Earliest or latest instant that the moment can mean: minutes in UTC, and seconds."""
    when, second = _filled(moment, high)
    zone = moment.zone if moment.zone is not None else _WEST if high else _EAST
    return when.toordinal() * 24 * 60 + when.hour * 60 + when.minute - zone, second


def _compare_zones(left: Moment, right: Moment) -> int | None:
    """Order of moments with different zones, or of which one has none."""
    earliest, start = _instant(left, high=False), _instant(right, high=False)
    if _instant(left, high=True) < start:
        return -1
    if earliest > _instant(right, high=True):
        return 1
    same = earliest == start and left.precision == right.precision
    return 0 if same and left.zone is not None and right.zone is not None else None


def _components(moment: Moment) -> tuple[int | Decimal, ...]:
    return moment.parts if moment.second is None else (*moment.parts, moment.second)


def compare(left: Moment, right: Moment) -> int | None:
    """-1, 0, 1, or None where the precisions (or a missing time zone) leave it open."""
    if (left.kind == "Time") != (right.kind == "Time"):
        return None
    if left.zone != right.zone:
        return _compare_zones(left, right)
    one, other = _components(left), _components(right)
    for first, second in zip(one, other, strict=False):
        if first != second:
            return -1 if first < second else 1
    return 0 if len(one) == len(other) else None


_LEVEL = {"year": 1, "month": 2, "week": 3, "day": 3, "hour": 4, "minute": 5, "second": 6, "millisecond": 6}
_IN_FINER = {1: 12, 2: 30, 3: 24, 4: 60, 5: 60}
"""How many of the next finer unit a unit counts as when a partial date is added to."""


def add(moment: Moment, amount: Decimal, unit: str) -> Moment | None:
    """The moment moved by calendar units (`year` ... `millisecond`), as precise as before; None outside of the years
    1 to 9999. Fractions count for seconds only; a finer unit than the moment has is converted down."""
    if unit == "week":
        amount, unit = amount * 7, "day"
    elif unit == "millisecond":
        amount, unit = amount / 1000, "second"
    level = _LEVEL[unit] - (3 if moment.kind == "Time" else 0)
    offset = 3 if moment.kind == "Time" else 0
    if level < 1:
        return moment if moment.kind == "Time" else None
    if level + offset < 6:
        amount = amount.to_integral_value(ROUND_DOWN)
    have = moment.precision
    while level > have:
        level -= 1
        amount = (amount / _IN_FINER[level + offset]).to_integral_value(ROUND_DOWN)
    if abs(amount) > 10**13:
        return None
    return _moved_clock(moment, amount, level) if moment.kind == "Time" else _moved(moment, amount, level)


def _moved(moment: Moment, amount: Decimal, level: int) -> Moment | None:
    parts = moment.parts
    if level <= 2:
        months = parts[0] * 12 + (parts[1] - 1 if len(parts) > 1 else 0) + int(amount) * (12 if level == 1 else 1)
        year, month = divmod(months, 12)
        if not 1 <= year <= 9999:
            return None
        moved = (year, month + 1)[: len(parts)]
        if len(parts) > 2:
            moved = (*moved, min(parts[2], monthrange(year, month + 1)[1]), *parts[3:])
        return moment._replace(parts=moved)
    second = moment.second if moment.second is not None else Decimal(0)
    year, month, day, hour, minute = (*parts, 0, 0)[:5]
    start = datetime(year, month, day, hour, minute)
    try:
        if level == 6:
            minutes, second = _carry(second + amount)
            when = start + timedelta(minutes=minutes)
        else:
            when = start + timedelta(**{("days", "hours", "minutes")[level - 3]: int(amount)})
    except OverflowError:
        return None
    numbers = (when.year, when.month, when.day, when.hour, when.minute)[: len(parts)]
    return moment._replace(parts=numbers, second=None if moment.second is None else second)


def _moved_clock(moment: Moment, amount: Decimal, level: int) -> Moment:
    """Times go round the clock. http://hl7.org/fhirpath/N1/#addition"""
    hour, minute = (*moment.parts, 0)[:2]
    second = moment.second if moment.second is not None else Decimal(0)
    minutes = hour * 60 + minute
    if level == 3:
        carried, second = _carry(second + amount)
        minutes += carried
    else:
        minutes += int(amount) * (60 if level == 1 else 1)
    minutes %= 24 * 60
    parts = divmod(minutes, 60)[: len(moment.parts)]
    return moment._replace(parts=parts, second=None if moment.second is None else second)


def _carry(seconds: Decimal) -> tuple[int, Decimal]:
    minutes = int(seconds // 60)
    rest = seconds - minutes * 60
    if rest < 0:
        minutes, rest = minutes - 1, rest + 60
    return minutes, rest


_DIGITS = {"Date": (4, 6, 8), "DateTime": (4, 6, 8, 10, 12, 17), "Time": (2, 4, 9)}
"""Digits that precision() counts for one, two, three ... components."""


def digits(moment: Moment) -> int:
    """precision(): `@2014` has 4, `@T10:30:00.000` 9."""
    if moment.second is None:
        return 2 * len(moment.parts) + (2 if moment.kind != "Time" else 0)
    fraction = -int(moment.second.as_tuple().exponent)
    return 2 * len(moment.parts) + (2 if moment.kind != "Time" else 0) + 2 + fraction


def boundary(moment: Moment, precision: int | None, *, high: bool) -> Moment | None:
    """lowBoundary / highBoundary: the first or last moment of that many digits that it can mean; None for a number of
    digits that no such value has."""
    steps = _DIGITS["DateTime" if moment.kind == "Date" and (precision or 0) > 8 else moment.kind]
    wanted = steps[-1] if precision is None else precision
    if wanted not in steps:
        return None
    count = steps.index(wanted) + 1
    if moment.kind == "Time":
        return _clock_boundary(moment, count, high)
    when, second = _filled(moment, high)
    parts = (when.year, when.month, when.day, when.hour, when.minute)[:count]
    if count < 6:
        zone = moment.zone if count > 3 else None
        return Moment("Date" if count <= 3 else "DateTime", parts, None, zone)
    zone = moment.zone if moment.zone is not None else (_WEST if high else _EAST)
    return Moment("DateTime", parts, _milliseconds(second), zone)


def _clock_boundary(moment: Moment, count: int, high: bool) -> Moment:
    parts = (*moment.parts, 59 if high else 0)[:2]
    second = moment.second if moment.second is not None else Decimal(59.999 if high else 0)
    return Moment("Time", parts[:count], _milliseconds(second) if count == 3 else None, None)


def _milliseconds(second: Decimal) -> Decimal:
    return second.quantize(Decimal("0.001"), ROUND_DOWN)
