"""Where an extension may stand: contexts of each kind, and several of them.

https://hl7.org/fhir/R4/defining-extensions.html#context
"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_profiles.definitions import CORE, Definitions
from fhir_profiles.snapshot import with_snapshot
from fhir_profiles.validation import Validator
from fhir_profiles.validation.extensions import REWRITTEN
from terminology.service import TerminologyService
from tests.unit.fhir_profiles.validation.test_profiles import HOME, extension

TERMINOLOGY = TerminologyService()
NOTE = {"url": HOME + "note", "valueString": "x"}
WITHIN = {"url": HOME + "outer", "extension": [NOTE]}


def faults(resource: dict[str, Any], *contexts: tuple[str, str]) -> list[str | None]:
    """Where an extension stands that may not, if it may stand at the contexts (kind, expression)."""
    definitions = Definitions()
    definition = extension(name="note", type_code="string")
    definition["context"] = [{"type": kind, "expression": expression} for kind, expression in contexts]
    definitions.add(with_snapshot(definition, definitions))
    issues = Validator(definitions, TERMINOLOGY).validate(resource)
    assert all("may not stand here" in each.diagnostics for each in issues)
    return [each.expression for each in issues]


def person(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", **members}


NAMED = person(name=[{"text": "x", "extension": [NOTE]}])
MALE = person(gender="male", extension=[NOTE])
FEMALE = person(gender="female", extension=[NOTE])


@pytest.mark.parametrize(
    ("context", "allowed", "forbidden"),
    [
        (("element", "Patient"), person(extension=[NOTE]), NAMED),
        (("element", "Patient.name"), NAMED, person(extension=[NOTE])),
        (("element", "HumanName"), NAMED, person(telecom=[{"use": "home", "extension": [NOTE]}])),
        (("element", "Element"), NAMED, person(extension=[NOTE])),
        (("element", "Resource"), person(extension=[NOTE]), NAMED),
        (
            ("element", "Patient.birthDate"),
            person(birthDate="2020-01-01", _birthDate={"extension": [NOTE]}),
            person(gender="male", _gender={"extension": [NOTE]}),
        ),
        (("extension", HOME + "outer"), person(extension=[WITHIN]), person(extension=[NOTE])),
        (("fhirpath", "Patient.where(gender = 'male')"), MALE, FEMALE),
        (("fhirpath", "Patient.name"), NAMED, person(extension=[NOTE])),
    ],
)
def test_each_kind_of_context(context: tuple[str, str], allowed: dict[str, Any], forbidden: dict[str, Any]) -> None:
    assert faults(allowed, context) == []
    (place,) = faults(forbidden, context)
    assert (place or "").endswith("extension[0]")


def test_one_of_several_contexts_is_enough() -> None:
    contexts = ("element", "Practitioner"), ("element", "HumanName")
    assert faults(NAMED, *contexts) == []
    assert faults(person(extension=[NOTE]), *contexts) == ["Patient.extension[0]"]


@pytest.mark.parametrize("name", ["birthDate", "gender"])
def test_a_fhirpath_context_may_be_a_primitive(name: str) -> None:
    resource = person(birthDate="2020-01-01", gender="male", **{"_" + name: {"extension": [NOTE]}})
    expected = [] if name == "birthDate" else ["Patient.gender.extension[0]"]
    assert faults(resource, ("fhirpath", "Patient.birthDate")) == expected


# --- contextInvariant: what must be true of the element that holds the extension ---


def noted(resource: dict[str, Any], *invariants: str) -> list[tuple[str, str | None, str]]:
    """(code, where, text) of each fault, if the extension may stand anywhere the invariants are true."""
    definitions = Definitions()
    definition = extension(name="note", type_code="string")
    definition["context"] = [
        {"type": "element", "expression": "Element"},
        {"type": "element", "expression": "Resource"},
    ]
    definition["contextInvariant"] = list(invariants)
    definitions.add(with_snapshot(definition, definitions))
    issues = Validator(definitions, TERMINOLOGY).validate(resource)
    return [(each.code, each.expression, each.diagnostics) for each in issues]


def inner(gender: str) -> dict[str, Any]:
    return person(id="a", gender=gender, extension=[NOTE])


def entries(*resources: dict[str, Any]) -> dict[str, Any]:
    rows = [{"fullUrl": f"http://example.org/{index}", "resource": each} for index, each in enumerate(resources)]
    return {"resourceType": "Bundle", "type": "collection", "entry": rows}


def holding(contained: dict[str, Any], **members: Any) -> dict[str, Any]:
    return person(contained=[contained], managingOrganization={"reference": "#a"}, **members)


DATED = {"_birthDate": {"extension": [NOTE]}}
GIVEN = {"_given": [None, {"extension": [NOTE]}]}


@pytest.mark.parametrize(
    ("invariant", "good", "bad"),
    [
        ("gender = 'male'", MALE, FEMALE),
        ("gender = 'male'", MALE, person(extension=[NOTE])),
        ("text = 'x'", NAMED, person(name=[{"text": "y", "extension": [NOTE]}])),
        ("%extension.value = 'x'", MALE, person(extension=[{**NOTE, "valueString": "y"}])),
        (f"extension.where(url = '{NOTE['url']}').count() = 1", MALE, person(extension=[NOTE, NOTE])),
        ("$this > @2019-12-31", person(birthDate="2020-01-01", **DATED), person(birthDate="2019-12-31", **DATED)),
        ("hasValue()", person(birthDate="2020-01-01", **DATED), person(**DATED)),
        ("$this = 'b'", person(name=[{"given": ["a", "b"], **GIVEN}]), person(name=[{"given": ["b", "a"], **GIVEN}])),
        ("%resource.gender = 'male'", person(gender="male", **DATED), person(gender="female", **DATED)),
        ("%resource.gender = 'male'", entries(inner("male"), person(gender="female")), entries(inner("female"))),
    ],
)
def test_a_context_invariant_is_asked_of_the_holder(invariant: str, good: dict[str, Any], bad: dict[str, Any]) -> None:
    assert noted(good, invariant) == []
    found = noted(bad, invariant)
    assert {code for code, _, _ in found} == {"invariant"}
    assert all((place or "").rpartition(".")[2].startswith("extension[") for _, place, _ in found)
    assert all(invariant in text for _, _, text in found)


def test_a_contained_resource_is_told_from_its_container() -> None:
    contained = {"resourceType": "Organization", "id": "a", "name": "x", "extension": [NOTE]}
    assert noted(holding(contained, gender="male"), "%rootResource.gender = 'male'", "%resource.name = 'x'") == []
    found = noted(holding(contained, gender="female"), "%rootResource.gender = 'male'", "%resource.name = 'x'")
    assert [place for _, place, _ in found] == ["Patient.contained[0].extension[0]"]


def test_all_context_invariants_must_be_true() -> None:
    assert noted(MALE, "gender = 'male'", "name.empty()") == []
    assert len(noted(MALE, "gender = 'male'", "name.exists()")) == 1
    assert len(noted(FEMALE, "gender = 'male'", "name.exists()")) == 2


@pytest.mark.parametrize("invariant", ["name.(", "name.single()"])
def test_what_cannot_be_evaluated_forbids_nothing(invariant: str) -> None:
    two = person(name=[{"text": "a"}, {"text": "b"}], extension=[NOTE])
    assert noted(two, invariant) == []


def item(kind: str, name: str, value: dict[str, Any], **members: Any) -> dict[str, Any]:
    noted_item = {
        "linkId": "1",
        "text": "x",
        "type": kind,
        "extension": [{"url": CORE + "questionnaire-" + name, **value}],
        **members,
    }
    return {"resourceType": "Questionnaire", "status": "draft", "item": [noted_item]}


UNIT = {"valueCoding": {"system": "http://unitsofmeasure.org", "code": "kg"}}
CATEGORY = {
    "valueCodeableConcept": {
        "coding": [{"system": "http://hl7.org/fhir/questionnaire-display-category", "code": "help"}]
    }
}


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (item("decimal", "unit", UNIT), item("string", "unit", UNIT)),
        (item("quantity", "unitOption", UNIT), item("decimal", "unitOption", UNIT)),
        (
            item("reference", "referenceResource", {"valueCode": "Patient"}),
            item("string", "referenceResource", {"valueCode": "Patient"}),
        ),
        (
            item("choice", "choiceOrientation", {"valueCode": "vertical"}),
            item("date", "choiceOrientation", {"valueCode": "vertical"}),
        ),
        (
            item("string", "minOccurs", {"valueInteger": 2}, required=True),
            item("string", "minOccurs", {"valueInteger": 2}, required=False),
        ),
        (
            item("string", "minOccurs", {"valueInteger": 0}, required=False),
            item("display", "minOccurs", {"valueInteger": 0}),
        ),
        (
            item("string", "maxOccurs", {"valueInteger": 3}, repeats=True),
            item("string", "maxOccurs", {"valueInteger": 3}),
        ),
        (
            item("string", "maxOccurs", {"valueInteger": 1}),
            item("string", "maxOccurs", {"valueInteger": 3}, repeats=False),
        ),
    ],
)
def test_the_context_invariants_of_r4_itself(good: dict[str, Any], bad: dict[str, Any]) -> None:
    validator = Validator(Definitions(), TERMINOLOGY)
    assert validator.validate(good) == []
    (issue,) = validator.validate(bad)
    assert (issue.code, issue.expression) == ("invariant", "Questionnaire.item[0].extension[0]")


def test_the_categories_of_display_items_may_stand_on_them() -> None:
    assert Validator(Definitions(), TERMINOLOGY).validate(item("display", "displayCategory", CATEGORY)) == []


def test_a_rewritten_invariant_is_one_of_r4() -> None:
    definitions = Definitions()
    assert all(text in definitions.structure(url).context_invariants for url, text in REWRITTEN)
