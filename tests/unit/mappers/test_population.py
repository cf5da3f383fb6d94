"""The generator's Bundles and resources: valid R4, self-contained, the same for the same seed."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from fhir.resources.R4B import get_fhir_model_class

from fhir_profiles.definitions import Definitions
from fhir_profiles.json_reading import read_json
from fhir_profiles.validation import Validator
from mappers.citizen_id import check_digit
from mappers.population import bundles, people, resources
from terminology.service import TerminologyService


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def test_every_resource_loads_in_an_independent_model_of_r4b() -> None:
    for resource in resources(25, seed=3):
        get_fhir_model_class(resource["resourceType"]).model_validate_json(orjson.dumps(resource))


def test_every_resource_is_valid_by_our_own_validator() -> None:
    validator = Validator(Definitions(), TerminologyService())
    for resource in resources(12, seed=3):
        assert validator.validate(read_json(orjson.dumps(resource))) == []


def test_the_independent_model_refuses_a_wrong_resource() -> None:
    encounter = next(r for r in resources(5, seed=3) if r["resourceType"] == "Encounter")
    with pytest.raises(ValueError, match="statuz"):
        get_fhir_model_class("Encounter").model_validate_json(orjson.dumps({**encounter, "statuz": "finished"}))


def test_a_resource_comes_after_all_it_refers_to() -> None:
    seen: set[str] = set()
    for resource in resources(30, seed=1):
        missing = set(references(resource)) - seen
        assert not missing
        seen.add(f"{resource['resourceType']}/{resource['id']}")


def test_a_bundle_refers_to_its_own_entries_and_the_shared_resources_only() -> None:
    shared, *persons = list(bundles(10, seed=1))
    known = {entry["request"]["url"] for entry in shared["entry"]}
    assert {entry["request"]["method"] for entry in shared["entry"]} == {"PUT"}
    for bundle in persons:
        own = [entry["fullUrl"] for entry in bundle["entry"]]
        assert len(own) == len(set(own))
        assert set(references(bundle)) <= known | set(own)
        assert [entry["resource"]["resourceType"] for entry in bundle["entry"]].count("Patient") == 1


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_people() -> None:
    first = orjson.dumps(list(bundles(8, seed=1)))
    assert first == orjson.dumps(list(bundles(8, seed=1)))
    assert first != orjson.dumps(list(bundles(8, seed=2)))


def test_asking_for_more_people_does_not_change_the_first_ones() -> None:
    few = list(bundles(4, seed=9))
    assert orjson.dumps(few) == orjson.dumps(list(itertools.islice(bundles(400, seed=9), 5)))


def test_bundles_and_resources_tell_the_same_story() -> None:
    in_bundles = Counter(e["resource"]["resourceType"] for b in bundles(6, seed=4) for e in b["entry"])
    assert in_bundles == Counter(r["resourceType"] for r in resources(6, seed=4))


def test_the_mix_is_that_of_an_outpatient_record() -> None:
    kinds = Counter(r["resourceType"] for r in resources(60, seed=1))
    total = sum(kinds.values())
    assert 0.5 < kinds["Observation"] / total < 0.6
    assert set(kinds) >= {
        "Encounter", "Condition", "Procedure", "MedicationRequest", "MedicationDispense", "Immunization", "Appointment",
        "DiagnosticReport", "Coverage", "Claim", "ServiceRequest", "AllergyIntolerance", "RelatedPerson",
    }  # fmt: skip
    sizes = [len(orjson.dumps(r)) for r in resources(20, seed=1)]
    assert 900 < sum(sizes) / len(sizes) < 1300


def test_citizen_ids_are_distinct_valid_and_nobodys() -> None:
    cids = [person.cid for person in people(500, seed=5)]
    assert len(set(cids)) == 500
    for cid in cids:
        assert cid.startswith("999")
        assert check_digit(cid[:12]) == cid[12]


def test_the_check_digit_is_the_published_one() -> None:
    # The example id of SIL-TH's th-core guide.
    assert check_digit("265059152444") == "0"


def test_nothing_happens_before_birth_or_after_death_and_visits_are_numbered_once() -> None:
    for person in people(300, seed=6):
        assert [visit.start for visit in person.visits] == sorted(visit.start for visit in person.visits)
        assert len({visit.seq for visit in person.visits}) == len(person.visits)
        for visit in person.visits:
            assert visit.start.date() >= person.birth
            assert person.death is None or visit.start.date() <= person.death.day


def test_children_name_their_parents_and_births_are_their_mothers_pregnancies() -> None:
    everyone = list(people(400, seed=7))
    by_cid = {person.cid: person for person in everyone}
    children = [person for person in everyone if person.mother in by_cid]
    assert children
    for child in children:
        mother = by_cid[child.mother]
        assert mother.sex == "2"
        assert (child.birth - mother.birth).days > 17 * 365
    assert any(person.pregnancies for person in everyone)
