"""https://hl7.org/fhir/R4/profiling.html#snapshot"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from fhir_profiles.definitions import CORE, Definitions
from fhir_profiles.issue import Issue
from fhir_profiles.snapshot import SnapshotError, complete, with_snapshot
from fhir_profiles.validation import Validator
from terminology.service import TerminologyService
from tests.unit.fhir_profiles.validation.test_vital_signs import (
    BAD,
    BAD_PRESSURE,
    VITAL_SIGNS,
    blood_pressure,
    vital_sign,
)

VITAL_SIGN_PROFILES = ["vitalsigns", "vitalspanel", "bp", *VITAL_SIGNS]
PROFILES = Definitions().core_profiles
APART = {
    # Published with an element of its base left out.
    "familymemberhistory-genetic": "FamilyMemberHistory.relationship",
    "catalog": "Composition.date",
    # Published with the choice narrowed where we add a slice, which asks the same.
    "bp": "Observation.component:SystolicBP.value[x]",
    # Published with the types of the extension written below it.
    "elementdefinition-de": "ElementDefinition.extension:Question.url",
    # Published with a reference to a slice, and with that slice's binding widened again.
    "provenance-relevant-history": "Provenance.entity.agent",
}
COMPARED = ("min", "max", "type", "binding", "slicing", "sliceName", "contentReference")


def regenerated(name: str, definitions: Definitions) -> dict[str, Any]:
    bare = {key: value for key, value in definitions.structure_resource(name).items() if key != "snapshot"}
    return with_snapshot(bare, definitions)


def meaning(profile: Any) -> dict[str, dict[str, Any]]:
    """Element id -> what it asks."""
    return {
        row["id"]: {
            key: value
            for key, value in row.items()
            if key in COMPARED or key.startswith(("fixed", "pattern", "minV", "maxV"))
        }
        for row in profile["snapshot"]["element"]
    }


@pytest.mark.parametrize("name", [name for name in PROFILES if name not in APART])
def test_a_core_profile_is_regenerated_as_published(definitions: Definitions, name: str) -> None:
    assert meaning(regenerated(name, definitions)) == meaning(definitions.structure_resource(name))


@pytest.mark.parametrize("name", sorted(APART))
def test_profiles_that_differ_from_the_published_ones_differ_as_listed(definitions: Definitions, name: str) -> None:
    ours, published = meaning(regenerated(name, definitions)), meaning(definitions.structure_resource(name))
    assert ours.get(APART[name]) != published.get(APART[name])
    assert ours.keys() & published.keys()


@pytest.fixture(scope="module")
def regenerating() -> Validator:
    """A validator that knows the core profiles of vital signs by snapshots made here."""
    definitions = Definitions()
    for name in VITAL_SIGN_PROFILES:
        definitions.add({"resourceType": "StructureDefinition", **regenerated(name, definitions)})
    return Validator(definitions, TerminologyService())


def outcomes(issues: list[Issue]) -> set[tuple[str, str | None]]:
    return {(issue.code, issue.expression) for issue in issues}


@pytest.mark.parametrize("profile", sorted(VITAL_SIGNS))
def test_good_vital_signs_conform_to_regenerated_profiles(regenerating: Validator, profile: str) -> None:
    assert regenerating.validate(vital_sign(profile)) == []
    assert regenerating.validate(blood_pressure()) == []


@pytest.mark.parametrize("name", sorted(BAD))
def test_bad_vital_signs_break_the_same_rules(validator: Validator, regenerating: Validator, name: str) -> None:
    resource = copy.deepcopy(vital_sign("bodyweight"))
    BAD[name][0](resource)
    assert outcomes(regenerating.validate(resource)) == outcomes(validator.validate(resource)) != set()


@pytest.mark.parametrize("name", sorted(BAD_PRESSURE))
def test_bad_blood_pressures_break_the_same_rules(validator: Validator, regenerating: Validator, name: str) -> None:
    resource = blood_pressure()
    BAD_PRESSURE[name][0](resource)
    assert outcomes(regenerating.validate(resource)) == outcomes(validator.validate(resource)) != set()


def bare_profile(*elements: dict[str, Any], base: str = "Patient") -> dict[str, Any]:
    return {
        "resourceType": "StructureDefinition",
        "url": "http://example.org/StructureDefinition/p",
        "type": base,
        "baseDefinition": CORE + base,
        "derivation": "constraint",
        "differential": {"element": list(elements)},
    }


def rows(*elements: dict[str, Any], base: str = "Patient") -> dict[str, dict[str, Any]]:
    made = with_snapshot(bare_profile(*elements, base=base), Definitions())
    return {row["id"]: row for row in made["snapshot"]["element"]}


def test_types_are_opened_where_a_profile_goes_into_them() -> None:
    made = rows({"path": "Patient.name.family", "min": 1})
    assert made["Patient.name.family"]["min"] == 1
    assert {"Patient.name.given", "Patient.name.period"} <= made.keys()
    assert list(made).index("Patient.name.family") < list(made).index("Patient.telecom")


def test_element_ids_are_made_where_they_are_missing() -> None:
    made = rows({"path": "Patient.identifier", "sliceName": "cid", "min": 1}, {"path": "Patient.gender", "min": 1})
    assert made["Patient.identifier:cid"]["min"] == 1
    assert made["Patient.identifier:cid"]["path"] == "Patient.identifier"


def test_a_narrowed_maximum_still_tells_what_is_an_array() -> None:
    definitions = Definitions()
    definitions.add(
        with_snapshot(
            {**bare_profile({"id": "Patient.name", "path": "Patient.name", "max": "1"}), "kind": "resource"},
            definitions,
        )
    )
    [name] = [
        each
        for each in definitions.structure("http://example.org/StructureDefinition/p").elements
        if each.path == "Patient.name"
    ]
    assert (name.max, name.is_array) == (1, True)


def test_content_references_are_opened() -> None:
    made = rows({"path": "Questionnaire.item.item.linkId", "short": "x"}, base="Questionnaire")
    assert made["Questionnaire.item.item.linkId"]["short"] == "x"
    assert made["Questionnaire.item.linkId"]["short"] != "x"


def test_constraints_are_added_and_facts_replaced() -> None:
    rule = {"key": "th-1", "severity": "error", "human": "h", "expression": "true"}
    made = rows({"path": "Patient.contact", "constraint": [rule], "short": "whom to call"})
    assert [each["key"] for each in made["Patient.contact"]["constraint"]] == ["pat-1", "th-1"]
    assert made["Patient.contact"]["short"] == "whom to call"


def test_a_profile_on_a_profile_starts_from_its_snapshot() -> None:
    definitions = Definitions()
    made = with_snapshot(
        {**bare_profile({"path": "Observation.note", "min": 1}), "baseDefinition": CORE + "bodyweight"}, definitions
    )
    found = {row["id"]: row for row in made["snapshot"]["element"]}
    assert found["Observation.note"]["min"] == 1
    assert found["Observation.category:VSCat"]["min"] == 1


@pytest.mark.parametrize(
    "element",
    [
        {"path": "Patient.shoe"},
        {"path": "Patient.name.shoe"},
        {"path": "Patient.deceased[x].extension.shoe"},
        {"path": "Patient.contact.shoe.size"},
    ],
)
def test_an_element_that_does_not_exist_is_named(element: dict[str, Any]) -> None:
    with pytest.raises(SnapshotError, match="Patient"):
        with_snapshot(bare_profile(element), Definitions())


def test_an_unknown_base_is_named() -> None:
    with pytest.raises(SnapshotError, match="not known"):
        with_snapshot({**bare_profile(), "baseDefinition": "http://example.org/none"}, Definitions())


def test_a_profile_with_a_snapshot_is_left_alone(definitions: Definitions) -> None:
    profile = definitions.structure_resource("bmi")
    assert complete(profile, definitions) is profile
    assert complete(bare_profile(), definitions)["snapshot"]["element"]
