"""What rows of the 43 files refer to, by PID, SEQ, AN and hospital code, and the file maps of this family."""

from __future__ import annotations

from typing import Any

from mappers.f43.layout import LAYOUTS
from mappers.links import HCODE, Row, local, logical
from mappers.part import FileMap, Part, row_system, row_value

FAMILY = "f43"


def file_map(file: str, parts: tuple[Part, ...]) -> FileMap:
    """The table of one of the 43 files."""
    return FileMap(FAMILY, LAYOUTS[file], parts)


def row_reference(resource_type: str, file: str, row: Row) -> dict[str, Any]:
    """A reference to the first resource of a row of another file that has the same key columns."""
    return logical(resource_type, row_system(FAMILY, file), row_value(LAYOUTS[file], row))


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
