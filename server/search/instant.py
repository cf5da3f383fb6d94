"""FHIR dates as half-open intervals [lower, upper) of microseconds UTC since 1970, and the prefixes on intervals.

A date stands for all the time it may mean: 2013 for the year, 2013-01-14T10:00 for a minute; a Period for its
bounds, a Timing for its outer limits. What has no zone is read in the zone given. Years 0001-9999; open ends are
MIN and MAX. https://hl7.org/fhir/R4/search.html#date https://hl7.org/fhir/R4/search.html#prefix
"""

from __future__ import annotations

import re
from datetime import date, datetime, tzinfo
from functools import lru_cache
from typing import Any

MIN = -(1 << 62)
MAX = 1 << 62

Interval = tuple[int, int]

_EPOCH = date(1970, 1, 1).toordinal()
_DAY = 86_400_000_000
_MINUTE = 60_000_000
_SECOND = 1_000_000

_LONGEST = 64

_DATE_TIME = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?", re.ASCII
)


def interval(text: str, zone: tzinfo, *, instant: bool = False) -> Interval | None:
    """The interval of a FHIR date, dateTime or instant; None if it is none.

    instant: a fixed point in time however it is written, so one microsecond wide.
    """
    found = _interval(text, zone) if len(text) <= _LONGEST else None
    if found is not None and instant and len(text) > 10:
        return found[0], found[0] + 1
    return found


@lru_cache(maxsize=8192)
def _interval(text: str, zone: tzinfo) -> Interval | None:
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour = match.groups()[:4]
    try:
        if hour is not None:
            return _time(match, zone)
        first = date(int(year), int(month or 1), int(day or 1))
        if day is not None:
            last = first.toordinal() + 1
        elif month is not None:
            last = first.toordinal() + _days_of_month(first)
        else:
            last = first.toordinal() + (366 if _leap(first.year) else 365)
    except ValueError:
        return None
    return _midnight(first.toordinal(), zone), _midnight(last, zone)


def _time(match: re.Match[str], zone: tzinfo) -> Interval:
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    seconds = int(second or 0)
    # 23:59:60 is a leap second: the second after :59.
    local = datetime(int(year), int(month), int(day), int(hour), int(minute), min(seconds, 59))
    if seconds > 60:
        raise ValueError(seconds)
    lower = (local.toordinal() - _EPOCH) * _DAY
    lower += (local.hour * 60 + local.minute) * _MINUTE + seconds * _SECOND
    width = _MINUTE if second is None else _SECOND
    if fraction:
        lower += int(fraction[:6].ljust(6, "0"))
        width = 10 ** max(0, 6 - len(fraction))
    lower -= _offset(local, zone) if offset is None else _written_offset(offset)
    return lower, lower + width


def _written_offset(text: str) -> int:
    if text == "Z":
        return 0
    hours, minutes = int(text[1:3]), int(text[4:])
    if hours > 14 or minutes > 59:
        raise ValueError(text)
    offset = (hours * 60 + minutes) * _MINUTE
    return -offset if text[0] == "-" else offset


def _offset(local: datetime, zone: tzinfo) -> int:
    offset = zone.utcoffset(local.replace(tzinfo=zone))
    assert offset is not None, "a zone that knows its offset"
    return offset.days * _DAY + offset.seconds * _SECOND + offset.microseconds


def _midnight(ordinal: int, zone: tzinfo) -> int:
    # The day after 9999-12-31 cannot be a datetime: its offset is that of the day before.
    local = datetime.fromordinal(min(ordinal, date.max.toordinal()))
    return (ordinal - _EPOCH) * _DAY - _offset(local, zone)


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _days_of_month(first: date) -> int:
    if first.month == 12:
        return 31
    return first.replace(month=first.month + 1).toordinal() - first.toordinal()


def period(value: dict[str, Any], zone: tzinfo) -> Interval | None:
    """Interval of a Period: from the start of `start` to the end of `end`; None if it has neither."""
    start, end = value.get("start"), value.get("end")
    lower = interval(start, zone) if isinstance(start, str) else None
    upper = interval(end, zone) if isinstance(end, str) else None
    if lower is None and upper is None:
        return None
    return (lower[0] if lower else MIN, upper[1] if upper else MAX)


def timing(value: dict[str, Any], zone: tzinfo) -> Interval | None:
    """Outer limits of a Timing: its events and its bounds when they are a Period; None if it has neither."""
    found = [interval(event, zone) for event in value.get("event") or () if isinstance(event, str)]
    repeat = value.get("repeat")
    if isinstance(repeat, dict) and isinstance(repeat.get("boundsPeriod"), dict):
        found.append(period(repeat["boundsPeriod"], zone))
    known = [one for one in found if one is not None]
    if not known:
        return None
    return min(one[0] for one in known), max(one[1] for one in known)


def milliseconds(value: int) -> Interval:
    """Interval of an instant given in milliseconds, as `meta.lastUpdated` is: one millisecond wide."""
    return value * 1000, value * 1000 + 1000
