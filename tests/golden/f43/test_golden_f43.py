"""The 43 files as resources and back, against reviewed files. After an intended change: `regenerate.py`, then
review."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from mappers.f43.files import read_rows, write_rows
from mappers.f43.layout import LAYOUTS
from mappers.f43.maps import MAPS
from mappers.part import by_part

HERE = Path(__file__).parent
resources_of = runpy.run_path(str(HERE / "regenerate.py"))["resources_of"]


@pytest.mark.parametrize("file", sorted(LAYOUTS))
def test_a_file_makes_the_reviewed_resources(file: str) -> None:
    expected = json.loads((HERE / "resources" / f"{file}.json").read_text(encoding="utf-8"))
    assert expected
    assert resources_of(file) == expected


@pytest.mark.parametrize("file", sorted(LAYOUTS))
def test_a_file_leaves_as_the_same_bytes(file: str) -> None:
    data = (HERE / "rows" / f"{file}.txt").read_bytes()
    mapped = [each.resource for row in read_rows(file, [data]) for each in MAPS[file].to_fhir(row.values)]
    grouped = by_part(mapped, MAPS[file].system)
    rows = [MAPS[file].from_fhir(parts) for parts in grouped.values()]
    assert b"".join(write_rows(file, rows)) == data


def test_a_wrong_expectation_fails() -> None:
    expected = json.loads((HERE / "resources" / "SERVICE.json").read_text(encoding="utf-8"))
    expected[0]["status"] = "planned"
    assert resources_of("SERVICE") != expected
