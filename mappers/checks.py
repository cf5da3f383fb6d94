"""Checks of one row: every column by its type and list, then what only several columns tell."""

from __future__ import annotations

import re
from collections.abc import Callable

from mappers.citizen_id import is_valid
from mappers.codes import displays
from mappers.diseases import plain
from mappers.layout import Field, Layout
from mappers.lens import canonical_number, iso_date, iso_time
from mappers.links import Row
from mappers.problems import Problem, shown

LATEST_AD_YEAR = 2400
"""A later year is one of the Buddhist era (543 ahead): refused, never converted in silence."""
EARLIEST_YEAR = 1880

_HOSPITAL = re.compile(r"[0-9]{5}\Z|[A-Z0-9]{9}\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")
_PARTIAL_BIRTH = re.compile(r"[12][0-9]{3}(00|0[1-9]|1[0-2])00\Z")

Check = Callable[[str], str | None]
"""Text of a column to the rule that it breaks."""


class Checker:
    """The checks of one file, made once."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        columns = layout.by_name
        self._columns = {field.name: _check(field) for field in layout.fields}
        self._required = frozenset(field.name for field in layout.fields if field.required)
        pairs = [(upper, lower, "pressure") for upper, lower in _PRESSURES]
        pairs += [(start, end, "order") for start, end in _PERIODS]
        self._pairs = [pair for pair in pairs if pair[0] in columns and pair[1] in columns]
        self._measured = [(name, *bounds) for name, bounds in _PLAUSIBLE.items() if name in columns]

    def __call__(self, number: int, row: Row) -> list[Problem]:
        """Everything wrong with a row (non-empty columns by name); empty when it is sound."""
        broken = [(name, rule) for name, text in row.items() if (rule := self._columns[name](text))]
        if missing := self._required - row.keys():
            broken += [(name, "drug" if name in _DRUG_CODES else "required") for name in sorted(missing)]
        broken += self._together(row)
        if not broken:
            return []
        file, fields = self._layout.name, self._layout.by_name
        return [Problem(file, number, name, rule, shown(fields[name], row.get(name, ""))) for name, rule in broken]

    def _together(self, row: Row) -> list[tuple[str, str]]:
        """(column, rule) for what several columns tell, and for measurements out of all bounds."""
        found = []
        for first, second, rule in self._pairs:
            if first in row and second in row:
                one, other = row[first], row[second]
                if rule == "pressure" and 0 < _value(one) < _value(other):
                    found.append((first, rule))
                elif rule == "order" and other < one[: len(other)]:
                    found.append((second, rule))
        for column, low, high in self._measured:
            if column in row and (value := _value(row[column])) and not low <= value <= high:
                found.append((column, "measure"))
        return found


class Seen:
    """Tells a second row with the same key. Keeps every key: meant for files of persons, not of visits."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._rows: dict[tuple[str, ...], int] = {}

    def again(self, number: int, row: Row) -> Problem | None:
        """The problem of a row whose key was there before; None for a first one."""
        key = tuple(row.get(column, "") for column in self._layout.key)
        first = self._rows.setdefault(key, number)
        return None if first == number else Problem(self._layout.name, number, "", "duplicate", f"row {first}")


_DRUG_CODES = frozenset({"DIDSTD", "DRUGALLERGY", "DID"})


_DISEASES = frozenset(
    [
        *("DIAGCODE", "DIAGCODELAST", "CHRONIC", "APDIAG", "BRESULT", "DIAG"),
        *("CDEATH", "CDEATH_A", "CDEATH_B", "CDEATH_C", "CDEATH_D", "ODISEASE"),
    ]
)
"""Columns of a diagnosis."""


def _check(field: Field) -> Check:
    """Control characters and length, and what the type asks for."""
    typed = _disease if field.name in _DISEASES else _TYPES.get(field.type, _any)(field)
    whole = field.length.split(".")[0]
    # A number may be written with its point and decimals beyond the digits that the column counts.
    limit = int(whole) + (4 if field.type == "number" else 0) if whole else 10_000

    def check(text: str) -> str | None:
        if not text.isprintable() and _CONTROL.search(text):
            return "control"
        return typed(text) or ("length" if len(text) > limit else None)

    return check


def _any(field: Field) -> Check:
    known = frozenset(displays(field.codes)) if field.codes else frozenset()
    rule = "open-code" if field.open_list else "code"
    return (lambda text: None if text in known else rule) if known else (lambda text: None)


def _disease(text: str) -> str | None:
    return None if plain(text) else "icd"


def _day(text: str, rule: str) -> str | None:
    year = text[:4]
    if year.isascii() and year.isdigit() and int(year) > LATEST_AD_YEAR:
        return "buddhist"
    if not iso_date(text):
        return rule
    return "year" if int(year) < EARLIEST_YEAR else None


def _date(field: Field) -> Check:
    rule = "date" if field.required else "optional-date"

    def check(text: str) -> str | None:
        if field.name == "BIRTH" and _PARTIAL_BIRTH.match(text) and int(text[:4]) <= LATEST_AD_YEAR:
            return None
        return _day(text, rule)

    return check


def _moment(field: Field) -> Check:
    rule = "date" if field.required else "optional-date"

    def check(text: str) -> str | None:
        if found := _day(text[:8], rule):
            return found
        return None if len(text) == 8 or (len(text) == 14 and iso_time(text[8:])) else rule

    return check


def _cid(field: Field) -> Check:
    rule = "cid" if field.name == "CID" else "relative"
    return lambda text: None if is_valid(text) else rule


def _hospital(field: Field) -> Check:
    rule = "facility" if field.name == "HOSPCODE" else "other-facility"
    return lambda text: None if _HOSPITAL.match(text) else rule


_TYPES: dict[str, Callable[[Field], Check]] = {
    "date": _date,
    "datetime": _moment,
    "time": lambda field: lambda text: None if iso_time(text) else "time",
    "number": lambda field: lambda text: None if canonical_number(text) else "number",
    "cid": _cid,
    "hcode": _hospital,
}

_PRESSURES = (("SBP", "DBP"), ("SBP_1", "DBP_1"), ("SBP_2", "DBP_2"))
_PERIODS = (
    ("STARTDATE", "EXPIREDATE"),
    ("STARTDATE", "OUTDATE"),
    ("DATE_DIAG", "DATE_DISCH"),
    ("DATETIME_ADMIT", "DATETIME_DISCH"),
    ("DATESTART", "DATEFINISH"),
    ("DATE_START", "DATE_FINISH"),
    ("TIMESTART", "TIMEFINISH"),
    ("DATETIME_DSTART", "DATETIME_DFINISH"),
)
_PLAUSIBLE = {
    "BTEMP": (25, 46),
    "SBP": (30, 320),
    "DBP": (10, 220),
    "PR": (15, 350),
    "RR": (3, 150),
    "HEIGHT": (20, 260),
}


def _value(text: str) -> float:
    """The number, 0 where there is none: nothing was measured."""
    digits = canonical_number(text)
    return float(digits) if digits else 0.0
