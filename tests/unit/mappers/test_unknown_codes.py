"""A code that a list does not have is never found out by FHIR's rules at the time of writing, where its column would be
lost: either the row is refused with file, row, column and reason, or what it makes is sound."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from fhir_profiles import thai
from fhir_profiles.definitions import Definitions
from fhir_profiles.validation import Validator
from mappers.f43.files import file_of_name, read_rows, write_rows
from mappers.f43.layout import LAYOUTS
from mappers.f43.maps import MAPS
from mappers.links import Row
from mappers.population.f43 import f43_rows
from terminology.service import TerminologyService

GOLDEN = Path(__file__).parents[2] / "golden" / "f43" / "rows"
CODED = [
    (file, field.name)
    for file, layout in LAYOUTS.items()
    for field in layout.fields
    if field.codes and not field.virtual
]


@cache
def validator() -> Validator:
    definitions = Definitions()
    thai.add_to(definitions)
    return Validator(definitions, TerminologyService())


@cache
def first_rows() -> dict[str, Row]:
    """One sound row of every file of the golden ones, and of those of the population beside."""
    found: dict[str, Row] = {}
    for path in sorted(GOLDEN.iterdir()):
        if file := file_of_name(path.name):
            for row in read_rows(file, [path.read_bytes()]):
                if not row.problems:
                    found.setdefault(file, row.values)
    for file, row in f43_rows(40, 3):
        found.setdefault(file, row)
    return found


def test_there_is_a_row_of_every_file_with_a_list() -> None:
    assert {file for file, _ in CODED} <= first_rows().keys()


@pytest.mark.parametrize("file", sorted({file for file, _ in CODED}))
def test_an_unknown_code_is_refused_by_column_or_harmless(file: str) -> None:
    for column in [column for other, column in CODED if other == file]:
        length = int(LAYOUTS[file].by_name[column].length.split(".")[0] or 1)
        spoilt = {**first_rows()[file], column: "Z" * length}
        (row,) = read_rows(file, [b"".join(write_rows(file, [spoilt]))])
        told = [(problem.field, problem.rule) for problem in row.problems]
        assert set(told) & {(column, "code"), (column, "open-code")}, (column, told)
        if not row.refused:
            for mapped in MAPS[file].to_fhir(row.values):
                issues = validator().validate({**mapped.resource, "id": "x"})
                assert [each for each in issues if each.severity in ("error", "fatal")] == [], column
