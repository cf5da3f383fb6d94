"""What rows of the claim files refer to, by HN, SEQ and AN, and the file maps of this family."""

from __future__ import annotations

from typing import Any

from mappers.f16.layout import LAYOUTS
from mappers.lens import Lens, look, path, place
from mappers.links import HCODE, Resource, Row, licence_system, local, logical
from mappers.part import FileMap, Part

FAMILY = "f16"


def file_map(file: str, *parts: Part) -> FileMap:
    """The table of one claim file."""
    return FileMap(FAMILY, LAYOUTS[file], parts)


def patient(row: Row) -> dict[str, Any]:
    """By HN; files of inpatients that have no HN name their patient through the admission."""
    if "HN" in row:
        return logical("Patient", local(row["HOSPCODE"], "HN"), row["HN"])
    return {"type": "Patient", "display": f"ผู้ป่วยใน AN {row['AN']}"}


def encounter(row: Row) -> dict[str, Any] | None:
    """The admission of AN, else the visit of SEQ, None where the row names neither."""
    for column, what in (("AN", "AN"), ("SEQ", "VN")):
        if column in row:
            return logical("Encounter", local(row["HOSPCODE"], what), row[column])
    return None


def facility(row: Row) -> dict[str, Any]:
    return logical("Organization", HCODE, row["HOSPCODE"])


def licensed(where: str) -> Lens:
    """A practitioner by licence number at the path of a Reference."""
    steps = path(where)

    def put(resource: Resource, value: str, row: Row) -> None:
        place(resource, steps, logical("Practitioner", licence_system(value), value))

    def get(resource: Resource) -> str:
        found = look(resource, (*steps, "identifier")) or {}
        return str(found.get("value", "")) if str(found.get("system", "")).startswith(_LICENSED) else ""

    return Lens(put, get)


_LICENSED = "https://terms.sil-th.org/id/th-"
