"""Invariants of the base definitions, one that is met and one that is broken each.

https://hl7.org/fhir/R4/conformance-rules.html#constraints
"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_profiles.definitions import Definitions
from fhir_profiles.fhirpath import Environment
from fhir_profiles.validation.checks import NodeCheck
from fhir_profiles.validation.invariants import FhirPathInvariants
from tests.unit.fhir_profiles.conftest import Findings

OBSERVATION: dict[str, Any] = {"resourceType": "Observation", "status": "final", "code": {"coding": [{"code": "a"}]}}
REQUEST: dict[str, Any] = {
    "resourceType": "MedicationRequest",
    "status": "active",
    "intent": "order",
    "subject": {"display": "x"},
    "medicationCodeableConcept": {"text": "x"},
}
URN = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"


def patient(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", **members}


def bundle(kind: str, *entries: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries), **members}


def dosage(**repeat: Any) -> dict[str, Any]:
    return {**REQUEST, "dosageInstruction": [{"timing": {"repeat": repeat}}]}


def questionnaire(enable_when: dict[str, Any]) -> dict[str, Any]:
    items = [{"linkId": "1", "type": "boolean"}, {"linkId": "2", "type": "string", "enableWhen": [enable_when]}]
    return {"resourceType": "Questionnaire", "status": "draft", "item": items}


BROKEN: list[tuple[dict[str, Any], str, str]] = [
    (patient(contact=[{"gender": "male"}]), "pat-1", "Patient.contact[0]"),
    (patient(name=[{"period": {"start": "2020", "end": "2019"}}]), "per-1", "Patient.name[0].period"),
    (patient(telecom=[{"value": "1"}]), "cpt-2", "Patient.telecom[0]"),
    (patient(photo=[{"data": "QQ=="}]), "att-1", "Patient.photo[0]"),
    ({**OBSERVATION, "valueString": "a", "dataAbsentReason": {"text": "b"}}, "obs-6", "Observation"),
    ({**OBSERVATION, "valueString": "a", "component": [{"code": {"coding": [{"code": "a"}]}}]}, "obs-7", "Observation"),
    ({**OBSERVATION, "referenceRange": [{"appliesTo": [{"text": "a"}]}]}, "obs-3", "Observation.referenceRange[0]"),
    ({**OBSERVATION, "valueQuantity": {"value": 1, "code": "kg"}}, "qty-3", "Observation.value"),
    ({**OBSERVATION, "valueRatio": {"numerator": {"value": 1}}}, "rat-1", "Observation.value"),
    ({**OBSERVATION, "valueRange": {"low": {"value": 2}, "high": {"value": 1}}}, "rng-2", "Observation.value"),
    (
        {**REQUEST, "dispenseRequest": {"quantity": {"value": 1, "comparator": "<"}}},
        "sqty-1",
        "MedicationRequest.dispenseRequest.quantity",
    ),
    (dosage(duration=1), "tim-1", "MedicationRequest.dosageInstruction[0].timing.repeat"),
    (dosage(period=1), "tim-2", "MedicationRequest.dosageInstruction[0].timing.repeat"),
    (dosage(period=-1, periodUnit="d"), "tim-5", "MedicationRequest.dosageInstruction[0].timing.repeat"),
    (dosage(periodMax=1), "tim-6", "MedicationRequest.dosageInstruction[0].timing.repeat"),
    (dosage(timeOfDay=["10:00:00"], when=["AC"]), "tim-10", "MedicationRequest.dosageInstruction[0].timing.repeat"),
    ({"resourceType": "Organization", "active": True}, "org-1", "Organization"),
    (
        {"resourceType": "Organization", "name": "x", "telecom": [{"system": "phone", "value": "1", "use": "home"}]},
        "org-3",
        "Organization.telecom[0]",
    ),
    (bundle("collection", {"resource": patient()}, total=1), "bdl-1", "Bundle"),
    (bundle("collection", {"resource": patient(), "search": {"mode": "match"}}), "bdl-2", "Bundle"),
    (bundle("transaction", {"resource": patient()}), "bdl-3", "Bundle"),
    (bundle("batch-response", {"resource": patient()}), "bdl-4", "Bundle"),
    (bundle("collection", {"fullUrl": URN}), "bdl-5", "Bundle.entry[0]"),
    (bundle("collection", *[{"fullUrl": URN, "resource": patient()}] * 2), "bdl-7", "Bundle"),
    (
        bundle("collection", {"fullUrl": "http://a/Patient/1/_history/1", "resource": patient()}),
        "bdl-8",
        "Bundle.entry[0]",
    ),
    (bundle("document", {"resource": patient()}), "bdl-9", "Bundle"),
    (bundle("message", {"resource": patient()}), "bdl-12", "Bundle"),
    ({"resourceType": "Parameters", "parameter": [{"name": "a"}]}, "inv-1", "Parameters.parameter[0]"),
    (
        {"resourceType": "Questionnaire", "status": "draft", "item": [{"linkId": "1", "type": "group"}]},
        "que-1",
        "Questionnaire.item[0]",
    ),
    (
        {"resourceType": "Questionnaire", "status": "draft", "item": [{"linkId": "1", "type": "string"}] * 2},
        "que-2",
        "Questionnaire",
    ),
    (
        questionnaire({"question": "1", "operator": "exists", "answerString": "x"}),
        "que-7",
        "Questionnaire.item[1].enableWhen[0]",
    ),
]


@pytest.mark.parametrize(("resource", "key", "expression"), BROKEN)
def test_a_broken_rule_is_named_at_its_element(
    found: Findings, resource: dict[str, Any], key: str, expression: str
) -> None:
    assert (key, expression) in [(text.rpartition("(")[2].rstrip(")"), place) for _, place, text in found(resource)]


MET = [
    patient(contact=[{"name": {"text": "a"}}]),
    patient(name=[{"period": {"start": "2019", "end": "2020"}}]),
    # Dates of different precision cannot be ordered: no violation is proved.
    patient(name=[{"period": {"start": "2020-01", "end": "2020"}}]),
    {**OBSERVATION, "valueQuantity": {"value": 1, "system": "http://unitsofmeasure.org", "code": "kg"}},
    {**OBSERVATION, "valueRange": {"low": {"value": 1}, "high": {"value": 2}}},
    dosage(frequency=1, period=1, periodUnit="d", when=["AC"]),
    bundle("transaction", {"resource": patient(), "request": {"method": "POST", "url": "Patient"}}),
    {"resourceType": "Parameters", "parameter": [{"name": "a", "part": [{"name": "b", "valueCode": "c"}]}]},
    questionnaire({"question": "1", "operator": "exists", "answerBoolean": True}),
]


@pytest.mark.parametrize("resource", MET)
def test_a_rule_that_is_met_is_silent(found: Findings, resource: dict[str, Any]) -> None:
    assert found(resource) == []


def test_warnings_are_told_only_where_advice_is_wanted(found: Findings) -> None:
    value_set = {"resourceType": "ValueSet", "status": "draft", "name": "not a name"}
    assert found(value_set) == []
    told = {text.rpartition("(")[2]: place for _, place, text in found(value_set, advice=True)}
    assert told == {"vsd-0)": "ValueSet", "dom-6)": "ValueSet"}


def test_advice_reaches_objects_around_others_with_advice(found: Findings) -> None:
    condition = {
        "resourceType": "Condition",
        "subject": {"display": "x"},
        "category": [{"coding": [{"system": "http://example.org", "code": "y"}]}],
    }
    told = found(condition, advice=True)
    assert ("code-invalid", "Condition.category[0]") in [each[:2] for each in told]
    assert any("dom-6" in text for _, _, text in told)


def test_advice_adds_to_errors(found: Findings) -> None:
    told = found(patient(gender="m"), advice=True)
    assert [code for code, _, _ in told] == ["code-invalid", "invariant"]


def test_every_invariant_of_r4_compiles(definitions: Definitions) -> None:
    source = FhirPathInvariants(definitions)
    nodes = [
        element.path
        for name in definitions.type_kinds
        for element in definitions.structure(name).elements
        if (element.constraints and not element.types) or any(row.code == "BackboneElement" for row in element.types)
    ]
    counted = sum(len(source.of_node(node, severity)) for node in nodes for severity in ("error", "warning"))
    assert counted > 700


def test_a_guard_spares_no_rule_that_an_object_can_break(definitions: Definitions) -> None:
    """An object without the guard's members fulfils the rule, whatever else it has."""
    source = FhirPathInvariants(definitions)
    checked = 0
    for node in (
        "Patient",
        "Observation",
        "Timing.repeat",
        "Attachment",
        "Period",
        "Bundle",
        "Bundle.entry",
        "Quantity",
    ):
        for invariant in source.of_node(node, "error"):
            if invariant.guard is None:
                continue
            others = {
                each.name: "x"
                for each in definitions.properties(node).values()
                if each.name not in invariant.guard
                and definitions.is_primitive(each.type)
                and not each.element.is_array
            }
            assert invariant.holds(others, Environment(resource=others, root=others)), invariant.key
            checked += 1
    assert checked > 25


def test_a_rule_that_wants_something_has_no_guard(definitions: Definitions) -> None:
    [pat_1] = FhirPathInvariants(definitions).of_node("Patient.contact", "error")
    assert pat_1.guard is None
    check = NodeCheck(definitions, "Patient.contact", FhirPathInvariants(definitions), "error")
    assert [problem.code for problem in check.problems({"gender": "male"}, Environment())] == ["invariant"]
