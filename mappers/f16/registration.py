"""What a PAT row says about a person, in the columns of PERSON: a registration beside those of the 43 files."""

from __future__ import annotations

from functools import cache

from mappers.citizen_id import is_valid
from mappers.codes import displays
from mappers.identity import FILE, Registration
from mappers.links import Row
from mappers.patient import PREFIXES, REGISTERED

_COLUMNS = {"HN": "HN", "SEX": "SEX", "DOB": "BIRTH", "NATION": "NATION", "MARRIAGE": "MSTATUS"}


def registration(row: Row) -> Registration:
    """The registration of one PAT row with its HOSPCODE. It has no D_UPDATE: whoever has one is believed before it."""
    person = {"HOSPCODE": row["HOSPCODE"]}
    person |= {column: row[name] for name, column in _COLUMNS.items() if name in row}
    if is_valid(row.get("PERSON_ID", "")):
        person["CID"] = row["PERSON_ID"]
    given, family, title = _name(row)
    person |= {name: text for name, text in (("NAME", given), ("LNAME", family)) if text}
    if code := _prefix_codes().get(title):
        person["PRENAME"] = code
    addresses: tuple[Row, ...] = ()
    if "CHANGWAT" in row:
        home = {"HOSPCODE": row["HOSPCODE"], "ADDRESSTYPE": REGISTERED, "CHANGWAT": row["CHANGWAT"]}
        addresses = ({**home, **({"AMPUR": row["AMPHUR"]} if "AMPHUR" in row else {})},)
    return Registration(person, FILE, addresses=addresses)


def _name(row: Row) -> tuple[str, str, str]:
    """(given, family, title): of their columns, else of NAMEPAT (`given family , title`)."""
    whole, _, title = row.get("NAMEPAT", "").partition(",")
    given, _, family = whole.strip().partition(" ")
    return row.get("FNAME") or given, row.get("LNAME") or family.strip(), row.get("TITLE") or title.strip()


@cache
def _prefix_codes() -> dict[str, str]:
    """Code by title; of several with one title the lowest."""
    return {title: code for code, title in sorted(displays(PREFIXES).items(), reverse=True)}
