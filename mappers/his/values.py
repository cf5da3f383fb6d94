"""What stands in a column of a database, as the text that the 43 files have for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache

from mappers.codes import displays

Value = object
"""As a driver gives it: str, bytes, int, float, Decimal, date, datetime, time, timedelta or None."""

_PRESSURE = re.compile(r"\s*(\d{2,3})\s*/\s*(\d{2,3})\s*\Z")
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d):(\d\d))?")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?")
_LONG_PREFIXES = {"นางสาว": "น.ส.", "เด็กชาย": "ด.ช.", "เด็กหญิง": "ด.ญ."}
"""As the card and people write it -> as the list does."""


@dataclass(frozen=True, slots=True)
class Column:
    """What makes one column of the 43 files."""

    kind: str
    of: tuple[str, ...]
    """`alias.column`; of several the first that is not empty, unless the kind says otherwise."""
    value: str
    """Always this, where nothing is read."""
    map: Mapping[str, str]
    start: int
    end: int | None
    width: int
    verified: bool


def plain(value: Value) -> str:
    """One line of text without surrounding blanks; "" for NULL. `|` and line ends cannot stand in the 43 files."""
    if value is None:
        return ""
    if isinstance(value, bytes | bytearray):
        value = bytes(value).decode("utf-8", "replace")
    if isinstance(value, float | Decimal):
        return _digits(Decimal(str(value)))
    return " ".join(str(value).replace("|", "/").split())


def _digits(number: Decimal) -> str:
    """Without exponent and trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _first(values: Sequence[Value], column: Column) -> str:
    return next((text for value in values if (text := plain(value))), "")


def _number(values: Sequence[Value], column: Column) -> str:
    """`width`: decimals that are always written."""
    text = _first(values, column)
    try:
        number = Decimal(text)
    except ArithmeticError:
        return text
    return f"{number:.{column.width}f}" if column.width else _digits(number)


def _rounded(values: Sequence[Value], column: Column) -> str:
    text = _first(values, column)
    try:
        return f"{Decimal(text):.0f}"
    except ArithmeticError:
        return text


def _day(value: Value) -> str:
    """`YYYYMMDD`; "" for NULL and for the zero date that MySQL writes instead."""
    if isinstance(value, date):
        return f"{value.year:04d}{value.month:02d}{value.day:02d}"
    text = plain(value)
    found = _DATE.match(text)
    day = "".join(found.groups()[:3]) if found else text
    return "" if day.startswith("0000") else day


def _clock(value: Value) -> str:
    """`HHMMSS`"""
    if isinstance(value, timedelta):
        seconds = int(value.total_seconds())
        return f"{seconds // 3600 % 24:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}"
    if isinstance(value, datetime | time):
        return value.strftime("%H%M%S")
    text = plain(value)
    found = _CLOCK.match(text)
    return f"{int(found[1]):02d}{found[2]}{found[3] or '00'}" if found else text


def _date(values: Sequence[Value], column: Column) -> str:
    return next((day for value in values if (day := _day(value))), "")


def _time(values: Sequence[Value], column: Column) -> str:
    return _clock(values[0]) if values and values[0] is not None else ""


def _stamp(values: Sequence[Value], column: Column) -> str:
    """`YYYYMMDDHHMMSS` of a moment, or of a date and a time behind it."""
    day = _day(values[0]) if values else ""
    if not day:
        return ""
    moment = values[0]
    if isinstance(moment, datetime):
        return day + _clock(moment)
    if found := _DATE.match(plain(moment)):
        hours = "".join(each or "" for each in found.groups()[3:])
        if hours:
            return day + hours
    clock = _clock(values[1]) if len(values) > 1 and values[1] is not None else ""
    return day + (clock if len(clock) == 6 else "000000")


def _unpad(values: Sequence[Value], column: Column) -> str:
    text = _first(values, column)
    return text.lstrip("0") or text[-1:]


def _pad(values: Sequence[Value], column: Column) -> str:
    text = _first(values, column)
    return text.rjust(column.width, "0") if text else ""


def _part(values: Sequence[Value], column: Column) -> str:
    """Letters `start` to before `end` of the text."""
    return _first(values, column)[column.start : column.end]


def _map(values: Sequence[Value], column: Column) -> str:
    """By the table `map`; what it does not have stays, unless the table has `*`."""
    text = _first(values, column)
    return column.map.get(text, column.map.get("*", text)) if text else ""


def _icd(values: Sequence[Value], column: Column) -> str:
    """ICD-10 as the 43 files write it: capital letters, no dot."""
    return _first(values, column).replace(".", "").upper()


def _cid(values: Sequence[Value], column: Column) -> str:
    return "".join(each for each in _first(values, column) if each.isalnum())


def _systolic(values: Sequence[Value], column: Column) -> str:
    found = _PRESSURE.match(_first(values, column))
    return found[1] if found else ""


def _diastolic(values: Sequence[Value], column: Column) -> str:
    found = _PRESSURE.match(_first(values, column))
    return found[2] if found else ""


@cache
def _prefixes() -> Mapping[str, str]:
    return {display: code for code, display in reversed(displays("cs-dopa-nameprefix").items())}


def _prefix(values: Sequence[Value], column: Column) -> str:
    """Code of a name prefix that is written as text or as its code."""
    text = _first(values, column)
    return text if text.isdigit() else _prefixes().get(_LONG_PREFIXES.get(text, text), text)


Kind = Callable[[Sequence[Value], "Column"], str]

KINDS: dict[str, Kind] = {
    "text": _first,
    "number": _number,
    "rounded": _rounded,
    "date": _date,
    "time": _time,
    "stamp": _stamp,
    "unpad": _unpad,
    "pad": _pad,
    "part": _part,
    "map": _map,
    "icd": _icd,
    "cid": _cid,
    "systolic": _systolic,
    "diastolic": _diastolic,
    "prefix": _prefix,
    "facility": lambda values, column: column.value,
}
"""Kind of a column -> its text. `facility` is the hospital code that the import was told."""
