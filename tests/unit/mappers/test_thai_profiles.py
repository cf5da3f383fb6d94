"""What the mappers emit claims its Thai profile and passes it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from fhir_profiles.definitions import Definitions
from fhir_profiles.json_reading import read_json, write_json
from fhir_profiles.thai import add_to
from fhir_profiles.thai.choice import claim, profile_of
from fhir_profiles.thai.differential import profile_url
from fhir_profiles.validation import Validator
from mappers.f43.maps import MAPS
from mappers.identity import Registration, Rules, shared_patient
from mappers.population import resources
from mappers.population.f43 import f43_rows
from terminology.service import TerminologyService

VALIDATOR = Validator(add_to(Definitions()), TerminologyService())
WITHOUT_PROFILE = {"Basic", "MedicationStatement", "Observation"}


@pytest.mark.parametrize("hcode", ["99999", "99998"])
def test_the_43_files_of_the_synthetic_population(hcode: str) -> None:
    claimed = Counter()
    for file, row in f43_rows(40, seed=5, hcode=hcode):
        for mapped in MAPS[file].to_fhir(row):
            resource = read_json(write_json(mapped.resource))
            assert VALIDATOR.validate(resource) == [], file
            profiles = resource.get("meta", {}).get("profile", [])
            claimed.update(profiles)
            assert resource["resourceType"] in WITHOUT_PROFILE or profile_of(resource) in profiles, file
    assert len(claimed) > 15
    assert claimed[profile_url("th-observation-vital-signs")] > 20


def test_the_patient_that_facilities_share() -> None:
    persons = [row for file, row in f43_rows(20, seed=5) if file == "PERSON"]
    for row in persons:
        patient = shared_patient([Registration(row)], datetime(2026, 11, 24, tzinfo=UTC), Rules())
        assert patient["meta"]["profile"] == [profile_url("th-patient")]
        assert VALIDATOR.validate(read_json(write_json(patient))) == []


def test_the_synthetic_population_as_fhir_would_pass_too() -> None:
    for number, resource in enumerate(resources(6, seed=5)):
        copy = read_json(write_json(resource))
        claim(copy)
        assert VALIDATOR.validate(copy) == [], resource["resourceType"]
        if number > 3000:
            break
