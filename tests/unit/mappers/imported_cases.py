"""Cases of the synthetic population as an importer of the 43 files would store them, for the tests of what leaves."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from fhir_profiles.json_reading import read_json, write_json
from mappers.case import Case
from mappers.population import f16

Files = dict[str, list[dict[str, str]]]


@cache
def cases(hcode: str) -> tuple[Case, ...]:
    """The cases of a facility of the synthetic population, imported through the 43 files."""
    return tuple(
        replace(
            case,
            encounter=read_json(write_json(case.encounter)),
            resources=[read_json(write_json(each)) for each in case.resources],
        )
        for case in f16.cases(40, seed=16, hcode=hcode)
    )
