"""Ids of what rows become, and what logical references of mapped resources mean as Type/id.

The id of a row's resource is an HMAC of its file and key (which begins with the facility) with a secret of the store:
found again without a search, and nobody outside can tell the key from it. No citizen id is in any key.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from functools import cache
from typing import Any, NamedTuple

from mappers.id_card.reads import FILE, HOLDERS
from mappers.links import HCODE, VILLAGE, Resource, Row
from mappers.part import row_value
from mappers.rows import CLAIM_FILES, FILE_OF_SYSTEM, LAYOUTS, MAPS

IDS_KEY = "import/f43-ids-key"
"""Setting of the store."""

REMEMBERED = 20_000
"""Ids that are not computed again: rows that lie beside each other refer to the same things."""

_LOCAL = re.compile(r"https://terms\.sil-th\.org/hcode/[59]/([^/]+)/(\w+)\Z")
_HOMES: dict[str, tuple[str, str]] = {
    "VN": ("SERVICE", "SEQ"),
    "AN": ("ADMISSION", "AN"),
    "Provider": ("PROVIDER", "PROVIDER"),
    "Refer": ("REFER_HISTORY", "REFERID"),
}
"""Kind of a facility's own number -> file whose first resource it names, and its key column there."""
_CLAIM_HOMES = {"VN": ("OPD", "SEQ"), "AN": ("IPD", "AN")}
"""The same for what rows of claim files name."""

REFERRED_TO = frozenset({"CARD", "CHRONIC", "VILLAGE", *CLAIM_FILES, *(file for file, _ in _HOMES.values())})
"""Files whose rows are referred to by rows of others: these wait until all of it is in."""


class PersonKey(NamedTuple):
    """A facility's own number of a person: PID in the 43 files, HN in claim files, HOLDER of a card that it read."""

    hcode: str
    number: str
    kind: str = "PID"

    @property
    def file(self) -> str:
        """Whose row is the registration."""
        return REGISTRATIONS[self.kind]


REGISTRATIONS = {"PID": "PERSON", "HN": "PAT", "HOLDER": FILE}
"""Kind of number, which is its column, to the file of registrations under it."""


def person_of(row: Row) -> PersonKey | None:
    """Whom a row is about; None where it names nobody."""
    for kind in REGISTRATIONS:
        if kind in row:
            return PersonKey(row["HOSPCODE"], row[kind], kind)
    return None


class Home(NamedTuple):
    """A resource made of a row."""

    type: str
    id: str
    file: str

    @property
    def target(self) -> tuple[str, str]:
        return self.type, self.id


class Facility(NamedTuple):
    hcode: str


Meant = PersonKey | Home | Facility


class Ids:
    """Ids of row resources under one secret."""

    def __init__(self, secret: bytes) -> None:
        # Copied for each id: to begin an HMAC costs more than to go on with one.
        self._begun = hmac.new(secret, digestmod=hashlib.sha256)
        self._known: dict[tuple[str, str], str] = {}

    def of(self, file: str, value: str) -> str:
        """Id of the resource with a row identifier value (`99999/0001/S1#pulse`): a UUID of version 8."""
        known = self._known.get((file, value))
        if known is not None:
            return known
        mac = self._begun.copy()
        mac.update(f"f43/{file}/{value}".encode())
        found = mac.hexdigest()
        number = f"{found[:8]}-{found[8:12]}-8{found[13:16]}-a{found[17:20]}-{found[20:32]}"
        if len(self._known) > REMEMBERED:
            self._known.clear()
        self._known[file, value] = number
        return number

    def person(self, key: PersonKey) -> str:
        """Id of the registration (Basic) of a person at a facility."""
        return self.of(key.file, row_value(LAYOUTS[key.file], {"HOSPCODE": key.hcode, key.kind: key.number}))

    def holder(self, key: str) -> str:
        """HOLDER of a card: nobody outside can tell the citizen id from it."""
        return self.of(FILE, key)

    def meant(self, reference: dict[str, Any], row: Row, file: str = "") -> Meant | None:
        """What a reference by identifier in a resource of a row of a file means; None for what no row makes."""
        system, value = reference["identifier"].get("system", ""), reference["identifier"]["value"]
        if system == HCODE:
            return Facility(value)
        if system == HOLDERS:
            hcode, _, holder = value.partition("/")
            return PersonKey(hcode, holder, "HOLDER")
        if local := _LOCAL.match(system):
            hcode, what = local.groups()
            if what in ("PID", "HN"):
                return PersonKey(hcode, value, what)
            homes = _CLAIM_HOMES if file in CLAIM_FILES else _HOMES
            if what not in homes:
                return None
            file, column = homes[what]
            return Home(
                reference["type"],
                self.of(file, row_value(LAYOUTS[file], {**row, "HOSPCODE": hcode, column: value})),
                file,
            )
        if system == VILLAGE:
            key = {"HOSPCODE": row.get("HOSPCODE", ""), "VID": value}
            return Home(reference["type"], self.of("VILLAGE", row_value(LAYOUTS["VILLAGE"], key)), "VILLAGE")
        if system in FILE_OF_SYSTEM:
            file = FILE_OF_SYSTEM[system]
            return Home(reference["type"], self.of(file, value), file)
        return None


def logical_references(resource: Resource) -> list[dict[str, Any]]:
    """Every Reference by identifier, wherever it is."""
    found: list[dict[str, Any]] = []
    waiting: list[Any] = [resource]
    while waiting:
        node = waiting.pop()
        for each in node.values() if node.__class__ is dict else node:
            kind = each.__class__
            if kind is list:
                waiting.append(each)
            elif kind is dict:
                if "type" in each and each.get("identifier").__class__ is dict and "reference" not in each:
                    found.append(each)
                else:
                    waiting.append(each)
    return found


class _Anything(dict[str, str]):
    """A row that has a text for whatever column is asked for."""

    def __missing__(self, column: str) -> str:
        return "1"


@cache
def part_types(file: str) -> dict[str, str]:
    """Resource type of every part that a row of the file can make, by part name."""
    row = _Anything({"HOSPCODE": "00000"})
    return {part.name: part.base(row)["resourceType"] for part in MAPS[file].parts}
