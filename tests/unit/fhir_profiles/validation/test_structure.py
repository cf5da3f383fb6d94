"""Each kind of structural error: R4 IssueType, FHIRPath of the element, what was found and what was expected.

https://hl7.org/fhir/R4/json.html https://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from fhir_profiles.json_reading import read_json
from fhir_profiles.validation import Validator
from tests.unit.fhir_profiles.conftest import Findings

ABSENT: dict[str, Any] = {"extension": [{"url": "http://example.org/why", "valueCode": "unknown"}]}
OBSERVATION: dict[str, Any] = {"resourceType": "Observation", "status": "final", "code": {"text": "pulse"}}


def patient(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", **members}


def observation(**members: Any) -> dict[str, Any]:
    return {**copy.deepcopy(OBSERVATION), **members}


def test_a_resource_without_faults_has_no_issues(found: Findings) -> None:
    assert found(patient(id="1", active=True, gender="male", birthDate="1970-01-01")) == []
    assert found(observation(valueQuantity={"value": 1})) == []


GOLDEN: list[tuple[dict[str, Any], str, str, str]] = [
    (
        patient(gender="m"),
        "code-invalid",
        "Patient.gender",
        '"m" was found, expected one of female, male, other, unknown',
    ),
    (patient(gender=1), "structure", "Patient.gender", "1 was found, expected one of female, male"),
    (patient(active="yes"), "value", "Patient.active", '"yes" was found, expected true or false'),
    (patient(id="a b"), "value", "Patient.id", '"a b" was found, expected 1 to 64 of the characters'),
    (patient(foo=1), "structure", "Patient.foo", "Patient has no element 'foo'"),
    (patient(geder="male"), "structure", "Patient.geder", "did you mean 'gender'?"),
    (patient(_foo={"id": "1"}), "structure", "Patient._foo", "Patient has no element '_foo'"),
    (
        patient(contact=[{"name": {"text": "a"}}, {"gander": "male"}]),
        "structure",
        "Patient.contact[1].gander",
        "Patient.contact has no element",
    ),
    (
        patient(contact={"name": {"text": "a"}}),
        "structure",
        "Patient.contact",
        "an object was found, expected an array",
    ),
    (
        patient(maritalStatus=[]),
        "structure",
        "Patient.maritalStatus",
        "an array was found, expected an object of type CodeableConcept",
    ),
    (
        patient(maritalStatus="single"),
        "structure",
        "Patient.maritalStatus",
        '"single" was found, expected an object of type CodeableConcept',
    ),
    (patient(maritalStatus={}), "structure", "Patient.maritalStatus", "an empty object was found"),
    (patient(maritalStatus={"id": "1"}), "structure", "Patient.maritalStatus", "an empty object was found"),
    (patient(maritalStatus=None), "structure", "Patient.maritalStatus", "null was found"),
    (patient(link=[]), "structure", "Patient.link", "an empty array was found"),
    (patient(language=""), "value", "Patient.language", '"" was found'),
    (patient(multipleBirthInteger=1.5), "value", "Patient.multipleBirth", "1.5 was found, expected a whole number"),
    (patient(multipleBirthInteger=True), "value", "Patient.multipleBirth", "true was found, expected a whole number"),
    (
        patient(deceasedBoolean=True, deceasedDateTime="2020"),
        "structure",
        "Patient.deceased",
        "deceasedBoolean, deceasedDateTime were found together",
    ),
    (
        patient(deceasedBoolean=True, _deceasedDateTime=ABSENT),
        "structure",
        "Patient.deceased",
        "at most one deceased[x]",
    ),
    (patient(_gender={}), "structure", "Patient.gender", "an empty object"),
    (patient(_gender={"id": "1"}), "structure", "Patient.gender", "expected at least one member besides id"),
    (
        patient(_gender=[ABSENT]),
        "structure",
        "Patient.gender",
        "an array was found, expected an object of type Element",
    ),
    (
        patient(communication=[{"preferred": True}]),
        "required",
        "Patient.communication[0].language",
        "nothing was found, expected language",
    ),
    (patient(meta={"profile": [None]}), "structure", "Patient.meta.profile[0]", "null was found"),
    (patient(extension=[{"url": "u"}]), "invariant", "Patient.extension[0]", "ext-1"),
    (
        patient(extension=[{"url": "u", "valueCode": "a", "extension": [{"url": "v", "valueCode": "a"}]}]),
        "invariant",
        "Patient.extension[0]",
        "ext-1",
    ),
    (
        patient(extension=[{"url": "u", "valueCode": "a", "valueString": "b"}]),
        "structure",
        "Patient.extension[0].value",
        "were found together",
    ),
    (patient(extension=[{"valueCode": "a"}]), "required", "Patient.extension[0].url", "expected url"),
    (
        patient(extension=[{"url": "u", "valueInteger": "a"}]),
        "value",
        "Patient.extension[0].value",
        '"a" was found, expected a whole number',
    ),
    (
        patient(extension=["x"]),
        "structure",
        "Patient.extension[0]",
        '"x" was found, expected an object of type Extension',
    ),
    (patient(_birthDate={"extension": [{"url": "u"}]}), "invariant", "Patient.birthDate.extension[0]", "ext-1"),
    (patient(text={"status": "generated", "div": "<p/>"}), "invariant", "Patient.text.div", "txt-1"),
    (patient(text={"status": "generated"}), "required", "Patient.text.div", "expected div"),
    (patient(contained=["x"]), "structure", "Patient.contained[0]", "expected a resource"),
    (
        patient(contained=[{"resourceType": "Foo"}]),
        "structure",
        "Patient.contained[0]",
        '"Foo" was found as resourceType',
    ),
    (patient(contained=[{"id": "1"}]), "structure", "Patient.contained[0]", "nothing was found as resourceType"),
    (observation(status=None), "structure", "Observation.status", "null was found, expected one of"),
    (
        observation(valueQuantity={"value": "1"}),
        "value",
        "Observation.value.value",
        '"1" was found, expected a JSON number, its exponent from -308 to 308',
    ),
    (
        observation(valueQuantity={"value": 1, "comparator": "="}),
        "code-invalid",
        "Observation.value.comparator",
        '"=" was found, expected one of',
    ),
    (
        observation(effectiveDateTime="2023-02-30"),
        "value",
        "Observation.effective",
        '"2023-02-30" was found, expected a date that exists',
    ),
    (observation(issued="2023-02-01"), "value", "Observation.issued", "expected YYYY-MM-DDThh:mm:ss with a zone"),
    (observation(valueFoo=1), "structure", "Observation.valueFoo", "no element 'valueFoo'"),
    (
        {"resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": {"display": "x"}},
        "required",
        "MedicationRequest",
        "expected one of medicationCodeableConcept, medicationReference",
    ),
    (
        {"resourceType": "Linkage", "item": [{"type": "source", "resource": {"display": "a"}}], "extra": 1},
        "structure",
        "Linkage.extra",
        "no element",
    ),
    (
        {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": patient(gender="m")}]},
        "code-invalid",
        "Bundle.entry[0].resource.gender",
        '"m" was found',
    ),
    (
        {"resourceType": "Parameters", "parameter": [{"name": "a", "resource": patient(gender="m")}]},
        "code-invalid",
        "Parameters.parameter[0].resource.gender",
        '"m" was found',
    ),
]


@pytest.mark.parametrize(("resource", "code", "expression", "says"), GOLDEN)
def test_an_error_names_its_element_and_says_what_was_found(
    validator: Validator, resource: dict[str, Any], code: str, expression: str, says: str
) -> None:
    issues = validator.validate(resource)
    assert [(issue.severity, issue.code, issue.expression) for issue in issues] == [("error", code, expression)]
    assert says in issues[0].diagnostics


@pytest.mark.parametrize("resource", [{}, {"resourceType": "Foo"}, {"resourceType": 1}, {"resourceType": "Resource"}])
def test_a_resource_has_a_type_of_r4(found: Findings, resource: dict[str, Any]) -> None:
    [(code, expression, text)] = found(resource)
    assert (code, expression) == ("structure", None)
    assert "expected a resource type of FHIR R4" in text


def test_all_errors_are_reported_at_once(found: Findings) -> None:
    resource = patient(
        gender="m", active=1, foo=2, name=[{"family": ""}], deceasedBoolean=True, deceasedDateTime="2020"
    )
    assert {expression for _, expression, _ in found(resource)} == {
        "Patient.gender",
        "Patient.active",
        "Patient.foo",
        "Patient.name[0].family",
        "Patient.deceased",
    }


def test_the_number_of_issues_is_limited(validator: Validator) -> None:
    resource = patient(name=[{"family": ""}] * 500)
    assert len(validator.validate(resource)) == 50
    assert len(validator.validate(resource, limit=3)) == 3


PRIMITIVES_WITH_EXTENSIONS = [
    patient(birthDate="2020", _birthDate={"id": "x"}),
    patient(_birthDate=ABSENT),
    patient(birthDate="2020", _birthDate=ABSENT),
    patient(name=[{"given": [None, "b"], "_given": [ABSENT, None]}]),
    patient(name=[{"given": [None, "b"], "_given": [ABSENT]}]),
    patient(name=[{"given": ["a", "b"], "_given": [None, {"id": "x"}]}]),
    patient(name=[{"_given": [ABSENT]}]),
    {"resourceType": "Observation", "_status": ABSENT, "code": {"text": "a"}},
    {
        "resourceType": "Observation",
        "_status": ABSENT,
        "code": {"text": "a"},
        "contained": [observation(id="a")],
        "hasMember": [{"reference": "#a"}],
    },
    {"resourceType": "Bundle", "_type": ABSENT},
]


@pytest.mark.parametrize("resource", PRIMITIVES_WITH_EXTENSIONS)
def test_extensions_may_stand_for_the_value_of_a_primitive(found: Findings, resource: dict[str, Any]) -> None:
    assert found(resource) == []


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ({"given": ["a", None]}, "Patient.name[0].given[1]"),
        ({"given": ["a", None], "_given": [ABSENT, None]}, "Patient.name[0].given[1]"),
        ({"given": ["a", None], "_given": [ABSENT]}, "Patient.name[0].given[1]"),
        ({"given": [None]}, "Patient.name[0].given[0]"),
        ({"given": ["a"], "_given": [None]}, "Patient.name[0].given"),
        ({"_given": [{"id": "x"}]}, "Patient.name[0].given[0]"),
    ],
)
def test_a_null_needs_an_extension_beside_it(found: Findings, name: dict[str, Any], expression: str) -> None:
    assert [each for _, each, _ in found(patient(name=[name]))] == [expression]


def test_the_rest_is_still_asked_where_an_extension_stands_for_a_value(found: Findings) -> None:
    resource = {"resourceType": "Observation", "_status": ABSENT, "code": {"text": "a"}, "valueString": "x"}
    assert found(resource) == []
    [(code, expression, text)] = found({**resource, "dataAbsentReason": {"text": "x"}})
    assert (code, expression) == ("invariant", "Observation")
    assert "obs-6" in text


def test_numbers_as_they_are_read_are_accepted(found: Findings) -> None:
    resource = read_json(
        b'{"resourceType":"Observation","status":"final","code":{"text":"a"},"valueQuantity":{"value":1.00}}'
    )
    assert found(resource) == []


def test_deep_nesting_is_no_crash(found: Findings) -> None:
    item: dict[str, Any] = {"linkId": "0", "type": "string"}
    for depth in range(1, 90):
        item = {"linkId": str(depth), "type": "group", "item": [item]}
    assert found({"resourceType": "Questionnaire", "status": "draft", "item": [item]}) == []
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "collection"}
    for _ in range(60):
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": bundle}]}
    assert found(bundle) == []


PRIVATE = [
    (patient(name=[{"family": 5, "given": "Somchai"}]), "Somchai"),
    (patient(name="Somchai"), "Somchai"),
    (patient(birthDate="12/3/1950"), "12/3/1950"),
    (patient(telecom=[{"system": "Somchai"}]), "Somchai"),
    (patient(identifier=[{"use": "Somchai"}]), "Somchai"),
    (patient(address=[{"use": "Somchai"}]), "Somchai"),
    (patient(contact=[{"gender": "Somchai"}]), "Somchai"),
    (patient(photo=[{"url": "Somchai Jaidee"}]), "Somchai"),
    (patient(**{"Somchai Jaidee": 1}), "Somchai"),
    (patient(text={"status": "generated", "div": "<div>Somchai</div>"}), "Somchai"),
    (patient(text={"status": "generated", "div": ["Somchai"]}), "Somchai"),
    (patient(identifier=[{"assigner": {"reference": "Somchai"}}]), "Somchai"),
    (patient(contact=[{"organization": {"reference": "Patient/Somchai"}}]), "Somchai"),
]


@pytest.mark.parametrize(("resource", "secret"), PRIVATE)
def test_values_that_identify_a_person_are_not_quoted(
    validator: Validator, resource: dict[str, Any], secret: str
) -> None:
    issues = validator.validate(resource)
    assert issues
    assert all(secret not in f"{issue.diagnostics} {issue.expression}" for issue in issues)


def test_at_most_forty_characters_are_quoted(found: Findings) -> None:
    [(_, _, text)] = found(patient(language="x " * 200))
    assert "x " * 20 in text
    assert "x " * 21 not in text
