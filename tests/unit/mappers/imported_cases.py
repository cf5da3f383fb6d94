"""Cases of the synthetic population as an importer of the 43 files would store them, for the tests of what leaves."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from functools import cache
from typing import Any

from fhir_profiles.json_reading import read_json, write_json
from mappers.case import Case
from mappers.f43.maps import MAPS as F43
from mappers.identity import Registration, Rules, shared_patient
from mappers.population.f43 import f43_rows
from mappers.population.places import PROVIDERS

NOW = datetime(2026, 11, 24, tzinfo=UTC)
Files = dict[str, list[dict[str, str]]]


@cache
def cases(hcode: str) -> tuple[Case, ...]:
    """The cases of a facility of the synthetic population, imported through the 43 files."""
    persons: dict[str, Files] = defaultdict(lambda: defaultdict(list))
    for file, row in f43_rows(40, seed=16, hcode=hcode):
        persons[row.get("PID", "")][file].append(row)
    licences = {provider.code: provider.licence for provider in PROVIDERS if provider.licence}
    return tuple(case for files in persons.values() if "PERSON" in files for case in _of_person(hcode, files, licences))


def _of_person(hcode: str, files: Files, licences: dict[str, str]) -> list[Case]:
    person = shared_patient([Registration(files["PERSON"][0], addresses=tuple(files["ADDRESS"]))], NOW, Rules())
    coverages = [each.resource for row in files["CARD"] for each in F43["CARD"].to_fhir(row)]
    visits: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for file, rows in files.items():
        for row in rows:
            for each in F43[file].to_fhir(row) if "SEQ" in row or "AN" in row else ():
                key = ("AN", row["AN"]) if file.endswith("_IPD") or file == "ADMISSION" else ("SEQ", row.get("SEQ", ""))
                visits[key].append(read_json(write_json(each.resource)))
    found = []
    for everything in visits.values():
        encounters = [r for r in everything if r["resourceType"] == "Encounter"]
        for encounter in encounters[:1]:
            rest = [r for r in everything if r is not encounter]
            found.append(Case(hcode, person, encounter, [*rest, *coverages], licences))
    return found
