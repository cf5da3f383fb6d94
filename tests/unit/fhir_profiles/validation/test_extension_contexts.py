"""Where an extension may stand: contexts of each kind, and several of them.

https://hl7.org/fhir/R4/defining-extensions.html#context
"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_profiles.definitions import Definitions
from fhir_profiles.snapshot import with_snapshot
from fhir_profiles.validation import Validator
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
