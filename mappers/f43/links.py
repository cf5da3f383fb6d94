"""Identifiers and references of what the rows make.

Rows refer to each other by business keys, so a mapped resource refers by identifier (a logical reference,
https://hl7.org/fhir/R4/references.html#logical): the importer adds `reference` where it knows the id. No id is made
here, and none is made from a citizen id.
"""

from __future__ import annotations

import re
from typing import Any

from fhir_profiles.canonical import CANONICAL
from mappers.f43.layout import LAYOUTS
from terminology.thai import CORE

Row = dict[str, str]
Resource = dict[str, Any]

HCODE = "https://terms.sil-th.org/id/th-moph-hcode"
CID = "https://terms.sil-th.org/id/th-cid"
PASSPORT = "https://terms.sil-th.org/id/passport"
HOUSE = "https://terms.sil-th.org/id/th-dopa-house-no"
VILLAGE = "https://terms.sil-th.org/id/th-dopa-village-no"
DISABILITY = "https://terms.sil-th.org/id/th-disability-no"
IDENTIFIER_TYPE = CORE + "CodeSystem/cs-th-identifier-type"

ROW = f"{CANONICAL}/StructureDefinition/f43-row"
"""Extension on the first resource of a row: `file` and every column that has no other home."""

_RESERVED = re.compile(r"[%/#|\s]")


def local(hcode: str, what: str) -> str:
    """Identifier system of a facility's own numbers: HN, VN, AN, PID, Provider, Drug ..."""
    return f"https://terms.sil-th.org/hcode/{9 if len(hcode) == 9 else 5}/{hcode}/{what}"


def row_system(file: str) -> str:
    """Identifier system of the rows of one file."""
    return f"{CANONICAL}/f43/{file.lower().replace('_', '-')}"


def _escape(text: str) -> str:
    return _RESERVED.sub(lambda found: f"%{ord(found[0]):02X}", text)


def _unescape(text: str) -> str:
    return re.sub(r"%([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), text)


def row_value(file: str, row: Row) -> str:
    """The row's key: its key columns joined by `/`."""
    return "/".join([_escape(row.get(column, "")) for column in LAYOUTS[file].key])


def key_columns(file: str, value: str) -> Row:
    """Key columns from the value of a row identifier, without part."""
    texts = value.split("#")[0].split("/")
    return {column: _unescape(text) for column, text in zip(LAYOUTS[file].key, texts, strict=True) if text}


def identifier(system: str, value: str, kind: str = "") -> dict[str, Any]:
    """An Identifier, with its Thai identifier type where it has one."""
    result: dict[str, Any] = {"system": system, "value": value}
    if kind:
        return {"type": {"coding": [{"system": IDENTIFIER_TYPE, "code": kind}]}, **result}
    return result


def logical(resource_type: str, system: str, value: str) -> dict[str, Any]:
    """A Reference by identifier."""
    return {"type": resource_type, "identifier": {"system": system, "value": value}}


def patient(row: Row) -> dict[str, Any]:
    return logical("Patient", local(row["HOSPCODE"], "PID"), row["PID"])


def visit(row: Row) -> dict[str, Any] | None:
    """The visit of SEQ, None where the row names none."""
    seq = row.get("SEQ")
    return logical("Encounter", local(row["HOSPCODE"], "VN"), seq) if seq else None


def stay(row: Row) -> dict[str, Any] | None:
    """The admission of AN, None where the row names none."""
    an = row.get("AN")
    return logical("Encounter", local(row["HOSPCODE"], "AN"), an) if an else None


def facility(row: Row, column: str = "HOSPCODE") -> dict[str, Any]:
    return logical("Organization", HCODE, row[column])


def without_none(resource: Resource) -> Resource:
    """The resource without the elements that are None."""
    return {name: value for name, value in resource.items() if value is not None}
