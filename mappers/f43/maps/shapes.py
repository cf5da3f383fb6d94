"""Shapes that several tables share: Observations with and without components, the row kept as a Basic resource."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fhir_profiles.canonical import CANONICAL
from mappers.codes import LOINC, coding, concept, system
from mappers.f43.links import facility, file_map, patient, visit
from mappers.lens import Lens, Put, coded, date, listed, quantity, stamp, text, time_of, whole
from mappers.links import Resource, Row
from mappers.observation import Setting, find_component, observation
from mappers.part import FIRST, FileMap, Part

COLUMN = f"{CANONICAL}/CodeSystem/f43-column"
"""Code system of `FILE` and `FILE.COLUMN`: what an Observation or component means where LOINC has no code for it."""
RECORD = f"{CANONICAL}/CodeSystem/f43-record"
"""Code system of what a Basic resource keeps: `person`, `address`, `policy` ..."""

FILE_LIST = "cs-th-file-list"
FILE_CODES = {
    "DEATH": "3", "WOMEN": "10", "FUNCTIONAL": "12", "ICF": "13", "SURVEILLANCE": "19", "ACCIDENT": "20", "LABFU": "21",
    "DENTAL": "29", "REHABILITATION": "30", "NCDSCREEN": "31", "FP": "32", "PRENATAL": "33", "ANC": "34", "LABOR": "35",
    "POSTNATAL": "36", "NEWBORN": "37", "NEWBORNCARE": "38", "NUTRITION": "40", "SPECIALPP": "41",
}  # fmt: skip
"""SIL-TH's numbers of the files."""

LOINC_CODES = {
    "DEATH": ("69453-9", "Cause of death [US Standard Certificate of Death]"),
}
"""LOINC beside SIL-TH's file code, where one says the same."""

SERVED: Mapping[str, Put] = {"DATE_SERV": date("effectiveDateTime").put, "TIME_SERV": time_of("effectiveDateTime").put}
"""When an Observation of a visit was made."""
PROVIDER = listed("performer", "Practitioner", "Provider")
PLACE = listed("performer", "Organization", "")
"""Who made an Observation, and at which facility."""

AT_VISIT = Setting(patient, visit, SERVED)


# --- components -----------------------------------------------------------------------------------------------------


def component(file: str, column: str, value: Lens, code: str = "", display: str = "") -> Lens:
    """A column as a component of the row's Observation; `code` and `display` are LOINC's where it has one."""
    own = f"{file}.{column}"
    codings = [{"system": COLUMN, "code": own}]
    if code:
        codings.insert(0, {"system": LOINC, "code": code, "display": display})

    def put(resource: Resource, digits: str, row: Row) -> None:
        if value.holds(digits):
            made: Resource = {"code": {"coding": [dict(entry) for entry in codings], "text": display or column}}
            value.put(made, digits, row)
            resource.setdefault("component", []).append(made)

    def get(resource: Resource) -> str:
        found = find_component(resource, COLUMN, own)
        return value.get(found) if found is not None else ""

    return Lens(put, get, value.canonical)


def answers(file: str, lists: Mapping[str, str]) -> dict[str, Lens]:
    """Columns as coded components: column to list."""
    return {
        column: component(file, column, coded("valueCodeableConcept", list_id)) for column, list_id in lists.items()
    }


def counts(file: str, *columns: str) -> dict[str, Lens]:
    """Columns as whole numbers."""
    return {column: component(file, column, whole("valueInteger")) for column in columns}


def measures(file: str, units: Mapping[str, str]) -> dict[str, Lens]:
    """Columns as quantities: column to UCUM unit."""
    return {column: component(file, column, quantity("valueQuantity", unit)) for column, unit in units.items()}


def dates(file: str, *columns: str) -> dict[str, Lens]:
    """Columns as days."""
    return {column: component(file, column, date("valueDateTime")) for column in columns}


def texts(file: str, *columns: str) -> dict[str, Lens]:
    """Columns as text."""
    return {column: component(file, column, text("valueString")) for column in columns}


def form(
    file: str,
    category: str,
    display: str,
    columns: Mapping[str, Lens],
    when: str = "DATE_SERV",
    extra: Mapping[str, Lens] | None = None,
    context: Mapping[str, Put] | None = None,
    at: Callable[[Row], Any] = visit,
) -> Part:
    """The first part of a file that is a form about a person: one Observation, a component for each answer.

    `extra`: columns whose home is the Observation itself; `when`: the column that says when it was filled in, if any.
    """
    own = (system(FILE_LIST), FILE_CODES[file]) if file in FILE_CODES else (COLUMN, file)
    code = concept(*own, file, display)
    if file in LOINC_CODES:
        code["coding"].insert(0, coding(LOINC, *LOINC_CODES[file]))
    home = {when: _effective(when)} if when else {}
    return Part(
        FIRST,
        observation(code, category, Setting(patient, at, {})),
        {**home, **(extra or {}), **columns},
        context or {},
    )


def _effective(column: str) -> Lens:
    return (stamp if column.startswith("DATETIME") else date)("effectiveDateTime")


# --- rows without a resource of their own ---------------------------------------------------------------------------


def record(file: str, kind: str, of_person: bool = True) -> FileMap:
    """A row that FHIR has no resource for, kept as a Basic.   https://hl7.org/fhir/R4/basic.html"""

    def base(row: Row) -> Resource:
        return {
            "resourceType": "Basic",
            "code": concept(RECORD, kind),
            "subject": patient(row) if of_person else None,
            "author": facility(row),
        }

    return file_map(file, (Part(FIRST, base, {}, {"D_UPDATE": date("created").put}),))
