"""The core profiles of vital signs.   https://hl7.org/fhir/R4/observation-vitalsigns.html"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from fhir_profiles.definitions import CORE
from fhir_profiles.validation import Validator
from tests.unit.fhir_profiles.conftest import Findings

Change = Callable[[dict[str, Any]], Any]

UCUM = "http://unitsofmeasure.org"
VITAL_SIGNS = {
    # profile: (LOINC code, UCUM unit)
    "bodyweight": ("29463-7", "kg"),
    "bodyheight": ("8302-2", "cm"),
    "bmi": ("39156-5", "kg/m2"),
    "heartrate": ("8867-4", "/min"),
    "resprate": ("9279-1", "/min"),
    "bodytemp": ("8310-5", "Cel"),
    "oxygensat": ("2708-6", "%"),
    "headcircum": ("9843-4", "cm"),
}


def quantity(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def loinc(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://loinc.org", "code": code}]}


def vital_sign(profile: str, **members: Any) -> dict[str, Any]:
    code, unit = VITAL_SIGNS.get(profile, ("85354-9", ""))
    category = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}
    resource = {
        "resourceType": "Observation",
        "meta": {"profile": [CORE + profile]},
        "status": "final",
        "category": [{"coding": [category]}],
        "code": loinc(code),
        "subject": {"reference": "Patient/1"},
        "effectiveDateTime": "2024-01-01",
    }
    if unit:
        resource["valueQuantity"] = quantity(70, unit)
    return {**resource, **members}


def blood_pressure() -> dict[str, Any]:
    components = [
        {"code": loinc("8480-6"), "valueQuantity": quantity(120, "mm[Hg]")},
        {"code": loinc("8462-4"), "valueQuantity": quantity(80, "mm[Hg]")},
    ]
    return vital_sign("bp", component=components)


@pytest.mark.parametrize("profile", sorted(VITAL_SIGNS))
def test_a_good_vital_sign_conforms(found: Findings, profile: str) -> None:
    assert found(vital_sign(profile)) == []


def test_a_good_blood_pressure_conforms(found: Findings) -> None:
    assert found(blood_pressure()) == []


def test_further_codings_are_allowed_beside_the_one_that_must_be_there(found: Findings) -> None:
    resource = vital_sign("bodyweight")
    resource["code"]["coding"].insert(0, {"system": "http://example.org", "code": "w"})
    resource["category"].append({"text": "other"})
    assert found(resource) == []


BAD: dict[str, tuple[Change, str, str]] = {
    "no category": (lambda r: r.pop("category"), "required", "Observation.category"),
    "another category": (
        lambda r: r["category"][0]["coding"][0].update(code="exam"),
        "required",
        "Observation.category",
    ),
    "category without its system": (
        lambda r: r["category"][0]["coding"][0].pop("system"),
        "required",
        "Observation.category",
    ),
    "another code": (lambda r: r.update(code=loinc("1-8")), "required", "Observation.code.coding"),
    "no subject": (lambda r: r.pop("subject"), "required", "Observation.subject"),
    "of a group": (lambda r: r["subject"].update(reference="Group/1"), "value", "Observation.subject.reference"),
    "no time": (lambda r: r.pop("effectiveDateTime"), "required", "Observation.effective"),
    "time of a year": (lambda r: r.update(effectiveDateTime="2024"), "invariant", "Observation.effective"),
    "another unit": (
        lambda r: r["valueQuantity"].update(code="[stone_av]"),
        "code-invalid",
        "Observation.value.code",
    ),
    "no unit text": (lambda r: r["valueQuantity"].pop("unit"), "required", "Observation.value.unit"),
    "another system": (lambda r: r["valueQuantity"].update(system="http://x"), "value", "Observation.value.system"),
    "no value": (lambda r: r.pop("valueQuantity"), "invariant", "Observation"),
    "a text as value": (
        lambda r: (r.pop("valueQuantity"), r.update(valueString="70")),
        "structure",
        "Observation.value",
    ),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_vital_sign_is_told_where(found: Findings, name: str) -> None:
    change, code, expression = BAD[name]
    resource = vital_sign("bodyweight")
    change(resource)
    issues = found(resource)
    assert (code, expression) in [each[:2] for each in issues]
    assert all("profile bodyweight: " in text for _, _, text in issues)


BAD_PRESSURE: dict[str, tuple[Change, str, str]] = {
    "one component": (lambda r: r["component"].pop(), "required", "Observation.component"),
    "twice systolic": (
        lambda r: r["component"].append(copy.deepcopy(r["component"][0])),
        "structure",
        "Observation.component[2]",
    ),
    "kPa": (
        lambda r: r["component"][1]["valueQuantity"].update(code="kPa"),
        "value",
        "Observation.component[1].value.code",
    ),
    "a value of its own": (
        lambda r: r.update(valueQuantity=quantity(1, "mm[Hg]")),
        "structure",
        "Observation.value",
    ),
    "neither value nor reason": (
        lambda r: r["component"][0].pop("valueQuantity"),
        "invariant",
        "Observation.component[0]",
    ),
}


@pytest.mark.parametrize("name", sorted(BAD_PRESSURE))
def test_a_bad_blood_pressure_is_told_where(found: Findings, name: str) -> None:
    change, code, expression = BAD_PRESSURE[name]
    resource = blood_pressure()
    change(resource)
    assert (code, expression) in [each[:2] for each in found(resource)]


def test_a_profile_can_be_asked_for(found: Findings) -> None:
    resource = vital_sign("bodyweight")
    del resource["meta"]
    assert found(resource, profiles=[CORE + "bodyweight"]) == []
    assert found(resource, profiles=[CORE + "bodyweight|4.0.1"]) == []
    assert found(resource, profiles=[CORE + "bmi"]) != []


def test_a_profile_of_another_type_is_not_met(found: Findings) -> None:
    [(code, expression, text)] = found({"resourceType": "Patient"}, profiles=[CORE + "bmi"])
    assert (code, expression) == ("structure", "Patient")
    assert "Patient was found, expected Observation" in text


def test_a_type_is_a_profile_that_asks_for_itself(found: Findings) -> None:
    resource = {"resourceType": "Patient"}
    assert found(resource, profiles=[CORE + "Patient", CORE + "DomainResource"]) == []
    assert [each[0] for each in found(resource, profiles=[CORE + "Observation"])] == ["structure"]


def test_an_unknown_profile_is_an_error_only_if_asked_for(found: Findings) -> None:
    unknown = "http://example.org/StructureDefinition/none"
    assert found({"resourceType": "Patient", "meta": {"profile": [unknown]}}) == []
    assert [each[0] for each in found({"resourceType": "Patient"}, profiles=[unknown])] == ["not-found"]


def test_profiles_of_entries_and_contained_resources_are_checked_too(found: Findings) -> None:
    bad = vital_sign("bodyweight")
    del bad["subject"]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": bad}]}
    assert [each[1] for each in found(bundle)] == ["Bundle.entry[0].resource.subject"]
    outer = vital_sign("bmi", contained=[{**bad, "id": "w"}], hasMember=[{"reference": "#w"}])
    assert "Observation.contained[0].subject" in [each[1] for each in found(outer)]


def test_bindings_that_do_not_require_are_advice(validator: Validator) -> None:
    resource = vital_sign("bodyweight", dataAbsentReason={"coding": [{"system": "http://x", "code": "y"}]})
    del resource["valueQuantity"]
    assert validator.validate(resource) == []
    told = validator.validate(resource, advice=True)
    assert ("warning", "Observation.dataAbsentReason") in [(each.severity, each.expression) for each in told]
