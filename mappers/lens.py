"""A column's home in FHIR: how its text is put into a resource and read back.

`put(resource, text, row)` writes, `get(resource)` reads ("" when it is not there), `canonical(text)` says what `get`
gives after `put`: the text itself where nothing is lost, another spelling of it, or "" for what FHIR cannot hold (then
`put` does nothing). What differs is kept beside the resource (`part.py`), so that a file comes back as it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from jiter import LosslessFloat

from mappers.codes import UCUM, concept, displays, hl7, hl7_coding, is_code, system
from mappers.links import HCODE, Resource, Row, identifier, local, logical

Path = tuple[str | int, ...]
Put = Callable[[Resource, str, Row], None]
Get = Callable[[Resource], str]


class Lens(NamedTuple):
    put: Put
    get: Get
    canonical: Callable[[str], str] | None = None
    """None: every text is its own canonical form."""

    def also(self, *others: Put) -> Lens:
        """The same home, with more elements that the column's text decides."""

        def put(resource: Resource, text: str, row: Row) -> None:
            self.put(resource, text, row)
            for other in others:
                other(resource, text, row)

        return self._replace(put=put)

    def spelt(self, text: str) -> str:
        """The text as `get` gives it after `put`."""
        return text if self.canonical is None else self.canonical(text)

    def holds(self, text: str) -> bool:
        """Whether FHIR has a place for the text."""
        return self.spelt(text) != ""


def path(text: str) -> Path:
    """`dosageInstruction.0.text` as steps."""
    return tuple(int(step) if step.isdigit() else step for step in text.split("."))


def look(resource: Any, steps: Path) -> Any:
    """What is at the path, None where it ends before."""
    for step in steps:
        if isinstance(step, int):
            if not isinstance(resource, list) or len(resource) <= step:
                return None
            resource = resource[step]
        elif isinstance(resource, dict) and step in resource:
            resource = resource[step]
        else:
            return None
    return resource


def place(resource: Any, steps: Path, value: Any) -> None:
    """Put the value at the path, making the objects and arrays on the way."""
    for step, following in pairwise(steps):
        if isinstance(step, int):
            while len(resource) <= step:
                resource.append({})
            resource = resource[step]
        else:
            resource = resource.setdefault(step, [] if isinstance(following, int) else {})
    last = steps[-1]
    if isinstance(last, int):
        resource.insert(last, value)
    else:
        resource[last] = value


# --- text, dates, numbers -------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?\Z")
_LOOSE_NUMBER = re.compile(r"(-?)0*([0-9]*)(?:\.([0-9]*))?\Z")
_DATE = re.compile(r"([12][0-9]{3})(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])\Z")
_TIME = re.compile(r"([01][0-9]|2[0-3])([0-5][0-9])([0-5][0-9])?\Z")


def text(where: str) -> Lens:
    """A string element."""
    steps = path(where)
    return Lens(
        lambda resource, value, row: place(resource, steps, value), lambda resource: look(resource, steps) or ""
    )


@lru_cache(8192)
def iso_date(value: str) -> str:
    """`20250131` as `2025-01-31`; "" for what is no day of the calendar."""
    found = _DATE.match(value)
    if not found or int(found[3]) > _DAYS[int(found[2])] or (value[4:] == "0229" and not _leap(int(found[1]))):
        return ""
    return f"{found[1]}-{found[2]}-{found[3]}"


_DAYS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def date(where: str) -> Lens:
    """YYYYMMDD as a date or dateTime of day precision; of a dateTime with a time, the day is read."""
    return _read_as(where, iso_date, lambda found: found[:10].replace("-", "") if len(found) >= 10 else "")


def _read_as(where: str, read: Callable[[str], str], written: Callable[[str], str]) -> Lens:
    """A text at a path in another form; read: "" for what is none."""
    steps = path(where)

    def put(resource: Resource, value: str, row: Row) -> None:
        if found := read(value):
            place(resource, steps, found)

    def get(resource: Resource) -> str:
        found = look(resource, steps)
        return written(found) if isinstance(found, str) else ""

    return Lens(put, get, lambda value: value if read(value) else "")


@lru_cache(8192)
def iso_time(value: str) -> str:
    """`083000` or `0830` as `08:30:00`; "" for no time."""
    found = _TIME.match(value)
    return f"{found[1]}:{found[2]}:{found[3] or '00'}" if found else ""


def time_of(where: str) -> Lens:
    """HHMMSS joined to the date that is at the path already (put the date first)."""
    steps = path(where)

    def put(resource: Resource, value: str, row: Row) -> None:
        day, clock = look(resource, steps), iso_time(value)
        if clock and isinstance(day, str) and len(day) == 10:
            place(resource, steps, f"{day}T{clock}+07:00")

    def get(resource: Resource) -> str:
        found = look(resource, steps)
        return found[11:19].replace(":", "") if isinstance(found, str) and len(found) >= 19 else ""

    return Lens(put, get, lambda value: iso_time(value).replace(":", ""))


def clock_of(where: str) -> Lens:
    """As `time_of`, for files that write HHMM."""
    seconds = time_of(where)
    return seconds._replace(
        get=lambda resource: seconds.get(resource)[:4], canonical=lambda value: iso_time(value).replace(":", "")[:4]
    )


def iso_stamp(value: str) -> str:
    """`20250131083000` as `2025-01-31T08:30:00+07:00`; a day alone as a day; "" for neither."""
    day = iso_date(value[:8])
    if len(value) == 8 or not day:
        return day
    clock = iso_time(value[8:])
    return f"{day}T{clock}+07:00" if clock and len(value) == 14 else ""


def stamp(where: str) -> Lens:
    """YYYYMMDDHHMMSS as a dateTime in Thai time."""
    return _read_as(where, iso_stamp, lambda found: re.sub(r"[-T:]", "", found[:19]))


def not_before(start: str, end: Lens) -> Lens:
    """An end of a period, put only where it does not lie before the start (invariant per-1); put the start first."""
    first = path(start)

    def put(resource: Resource, value: str, row: Row) -> None:
        begun = look(resource, first)
        made: Resource = {}
        end.put(made, value, row)
        ended = _innermost(made)
        if not isinstance(begun, str) or not ended or begun[: len(ended)] <= ended[: len(begun)]:
            end.put(resource, value, row)

    return end._replace(put=put)


def _innermost(value: Any) -> str:
    while isinstance(value, (dict, list)) and value:
        value = value[0] if isinstance(value, list) else next(iter(value.values()))
    return value if isinstance(value, str) else ""


def ending(where: str, kind: Callable[[str], Lens]) -> Lens:
    """The end of the Period at the path: `ending("period", date)`."""
    return not_before(f"{where}.start", kind(f"{where}.end"))


@lru_cache(8192)
def canonical_number(value: str) -> str:
    """The number as JSON writes it, digits after the point kept; "" for what is none."""
    if _NUMBER.match(value):
        return value
    found = _LOOSE_NUMBER.match(value)
    if not found or not (found[2] or found[3]):
        return ""
    loose = f"{found[1]}{found[2] or '0'}" + (f".{found[3]}" if found[3] else "")
    return loose if _NUMBER.match(loose) else ""


def number(value: str) -> int | LosslessFloat:
    """A canonical number as JSON value that keeps its digits."""
    return LosslessFloat(value.encode()) if "." in value else int(value)


def number_text(value: Any) -> str:
    """The digits of a JSON number."""
    if isinstance(value, LosslessFloat):
        return bytes(value).decode()
    return "" if value is None or isinstance(value, (bool, dict, list)) else str(value)


def _not_zero(value: str) -> str:
    """In a vital sign, 0 means that nobody measured."""
    result = canonical_number(value)
    return result if result.strip("-0.") else ""


def numeric(where: str, canonical: Callable[[str], str] = canonical_number) -> Lens:
    """A decimal or integer element."""
    steps = path(where)

    def put(resource: Resource, value: str, row: Row) -> None:
        if digits := canonical(value):
            place(resource, steps, number(digits))

    return Lens(put, lambda resource: number_text(look(resource, steps)), canonical)


def whole(where: str) -> Lens:
    """An integer element."""
    return numeric(
        where, lambda value: str(int(value)) if value.isascii() and value.isdigit() and len(value) < 10 else ""
    )


def quantity(where: str, unit: str, *, measured: bool = False) -> Lens:
    """A Quantity with its UCUM unit. `measured`: 0 stands for not measured."""
    steps = path(where)
    canonical = _not_zero if measured else canonical_number

    def put(resource: Resource, value: str, row: Row) -> None:
        if digits := canonical(value):
            place(resource, steps, {"value": number(digits), "unit": unit, "system": UCUM, "code": unit})

    return Lens(put, lambda resource: number_text(look(resource, (*steps, "value"))), canonical)


def money(where: str) -> Lens:
    """Money in baht."""
    steps = path(where)

    def put(resource: Resource, value: str, row: Row) -> None:
        if digits := canonical_number(value):
            place(resource, steps, {"value": number(digits), "currency": "THB"})

    return Lens(put, lambda resource: number_text(look(resource, (*steps, "value"))), canonical_number)


# --- codes ----------------------------------------------------------------------------------------------------------


def canonical_code(value: str) -> str:
    return value if is_code(value) else ""


def coded(where: str, list_id: str) -> Lens:
    """A CodeableConcept with the code of a SIL-TH list (or of any system by URL) among its codings."""
    steps = path(where)
    url = list_id if "/" in list_id else system(list_id)

    def put(resource: Resource, value: str, row: Row) -> None:
        if not is_code(value):
            return
        entry = concept(url, value, "" if url is list_id else displays(list_id).get(value, ""))
        found = look(resource, steps)
        if isinstance(found, dict):
            found.setdefault("coding", []).extend(entry["coding"])
        else:
            place(resource, steps, entry)

    return Lens(put, lambda resource: code_of(look(resource, steps), url), canonical_code)


def code_of(value: Any, url: str) -> str:
    """The code of a system in a CodeableConcept."""
    for entry in look(value, ("coding",)) or ():
        if entry.get("system") == url:
            return str(entry.get("code", ""))
    return ""


def translated(where: str, map_id: str) -> Put:
    """What a concept map gives for the column's code, as a further coding of the CodeableConcept at the path."""
    steps = path(where)

    def put(resource: Resource, value: str, row: Row) -> None:
        if entry := hl7_coding(map_id, value):
            found = look(resource, steps)
            if isinstance(found, dict):
                found.setdefault("coding", []).append(entry)
            else:
                place(resource, steps, {"coding": [entry]})

    return put


def choice(where: str, map_id: str) -> Put:
    """The code of a required binding that a concept map gives for the column's code."""
    steps, table = path(where), hl7(map_id)

    def put(resource: Resource, value: str, row: Row) -> None:
        if value in table:
            place(resource, steps, table[value])

    return put


# --- extensions and references --------------------------------------------------------------------------------------

EXTENSIONS = "https://fhir-ig.sil-th.org/th/extensions/StructureDefinition/"


def extended(where: str, name: str, value: Lens) -> Lens:
    """An extension of SIL-TH (or of any URL) on the element at the path ("" is the resource). `value` is a lens
    into the Extension: `date("valueDate")`."""
    url = name if "/" in name else EXTENSIONS + name
    steps = path(where) if where else ()

    def put(resource: Resource, text_value: str, row: Row) -> None:
        made: Resource = {}
        value.put(made, text_value, row)
        if not made:
            return
        holder = look(resource, steps)
        if not isinstance(holder, dict):
            holder = {}
            place(resource, steps, holder)
        holder.setdefault("extension", []).append({"url": url, **made})

    def get(resource: Resource) -> str:
        for entry in look(resource, (*steps, "extension")) or ():
            # Two columns may share an extension and differ in their code system.
            if entry.get("url") == url and (found := value.get(entry)):
                return found
        return ""

    return Lens(put, get, value.canonical)


def coded_extension(where: str, name: str, list_id: str) -> Lens:
    """An extension that holds a code of a SIL-TH list."""
    return extended(where, name, coded("valueCodeableConcept", list_id))


def reference(where: str, resource_type: str, what: str) -> Lens:
    """A logical reference to something that the row's facility numbers itself."""
    steps = path(where)

    def put(resource: Resource, value: str, row: Row) -> None:
        place(resource, steps, logical(resource_type, local(row["HOSPCODE"], what), value))

    return Lens(put, lambda resource: look(resource, (*steps, "identifier", "value")) or "")


def listed(where: str, resource_type: str, what: str, actor: str = "") -> Lens:
    """A logical reference in a list that also holds references to other types. `what`: as in `local`, "" for a
    facility by its hospital code. `actor`: the element of each entry that is the reference, "" where the entry is
    it."""
    steps = path(where)

    def put(resource: Resource, value: str, row: Row) -> None:
        link = logical(resource_type, local(row["HOSPCODE"], what) if what else HCODE, value)
        entries = look(resource, steps)
        if not isinstance(entries, list):
            entries = []
            place(resource, steps, entries)
        entries.append({actor: link} if actor else link)

    def get(resource: Resource) -> str:
        for entry in look(resource, steps) or ():
            link = entry.get(actor, {}) if actor else entry
            if link.get("type") == resource_type:
                return str(look(link, ("identifier", "value")) or "")
        return ""

    return Lens(put, get)


def digits(count: int) -> Callable[[str], bool]:
    """Whether a text is that many digits."""
    return lambda value: len(value) == count and value.isascii() and value.isdigit()


def identified(url: str, kind: str, fits: Callable[[str], bool]) -> Lens:
    """An identifier of the resource; what does not fit the system is no identifier of it."""

    def put(resource: Resource, value: str, row: Row) -> None:
        if fits(value):
            resource.setdefault("identifier", []).append(identifier(url, value, kind))

    def get(resource: Resource) -> str:
        return next((str(e["value"]) for e in resource.get("identifier", ()) if e.get("system") == url), "")

    return Lens(put, get, lambda value: value if fits(value) else "")


def organization(where: str) -> Lens:
    """A logical reference to a facility by its hospital code."""
    steps = path(where)

    def put(resource: Resource, value: str, row: Row) -> None:
        place(resource, steps, logical("Organization", HCODE, value))

    return Lens(put, lambda resource: look(resource, (*steps, "identifier", "value")) or "")
