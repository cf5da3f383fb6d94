"""HL7's R4 examples: read, validated and written back.

https://hl7.org/fhir/R4/json.html (decimals keep their precision) https://hl7.org/fhir/R4/xml.html
An example held to be wrong is in WRONG, with the rule it breaks.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import canonicalize

import pytest

from fhir_profiles.definitions import Definitions
from fhir_profiles.json_reading import read_json, same_json, write_json
from fhir_profiles.validation import Validator
from fhir_profiles.xml_reading import read_xml
from terminology.service import TerminologyService

CORPUS = Path(__file__).parent / "fhir-test-cases" / "r4"
JSON = sorted(path.relative_to(CORPUS).as_posix() for path in [*CORPUS.glob("*.json"), *CORPUS.glob("examples/*.json")])
XML = sorted(path.name for path in CORPUS.glob("*.xml"))

WRONG: dict[str, tuple[str, ...]] = {
    # Questionnaire.item.linkId is 1..1 (questionnaire.html); the nested items have none.
    "examples/bundle-questionnaire.json": ("linkId",),
    # csd-1: "all the codes SHALL be unique" (codesystem.html); chol-mass is there twice.
    "examples/codesystem-example.json": ("csd-1",),
    # DeviceMetric.parent: Reference(Device) (devicemetric.html); it points to a DeviceDefinition.
    "examples/devicemetric-example.json": ("the reference is to a DeviceDefinition",),
    # DeviceUseStatement.reasonReference has no Procedure among its targets (deviceusestatement.html).
    "examples/deviceusestatement-example.json": ("the reference is to a Procedure",),
    # MedicationRequest.dispenseRequest.performer: Reference(Organization) (medicationrequest.html).
    "examples/medicationrequest0301.json": ("the reference is to a Practitioner",),
    # Not R4: status, type, use, patient, created ... are 1..1 (explanationofbenefit.html).
    "explanationofbenefit-example.json": ("it is required",),
    # org-1 (organization.html): neither name nor identifier; references.html#contained: "#1" was meant.
    "patient-container-example.json": ("org-1", "neither Type/id nor an absolute URL"),
}

XML_WRONG: dict[str, list[str]] = {
    # csd-1, as its JSON twin
    "codesystem-example.xml": ["CodeSystem"],
}

_NUMBER = re.compile(r"(?<=[:\[,])\s*(-?\d[\d.eE+-]*)(?=\s*[,}\]])")


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return Definitions()


@pytest.fixture(scope="module")
def validator(definitions: Definitions) -> Validator:
    return Validator(definitions, TerminologyService())


@pytest.mark.parametrize("name", JSON)
def test_an_example_is_written_as_it_was_read(name: str) -> None:
    source = (CORPUS / name).read_bytes()
    resource = read_json(source)
    written = write_json(resource)
    assert same_json(read_json(written), resource)
    assert _NUMBER.findall(written.decode()) == _NUMBER.findall(re.sub(r"\s*\n\s*", "", source.decode()))


@pytest.mark.parametrize("name", [name for name in JSON if name not in WRONG])
def test_an_example_is_valid(name: str, validator: Validator) -> None:
    assert validator.validate(read_json((CORPUS / name).read_bytes())) == []


@pytest.mark.parametrize("name", sorted(WRONG))
def test_an_example_held_wrong_breaks_the_rules_named_and_no_other(name: str, validator: Validator) -> None:
    issues = validator.validate(read_json((CORPUS / name).read_bytes()))
    assert issues
    for issue in issues:
        assert any(rule in issue.diagnostics for rule in WRONG[name]), issue
    for rule in WRONG[name]:
        assert any(rule in issue.diagnostics for issue in issues)


def test_the_runner_notices_an_invalid_example(validator: Validator) -> None:
    patient = read_json((CORPUS / "examples/patient-example.json").read_bytes())
    patient["gender"] = "m"
    assert [issue.expression for issue in validator.validate(patient)] == ["Patient.gender"]


@pytest.mark.parametrize("name", XML)
def test_an_xml_example_is_valid(name: str, definitions: Definitions, validator: Validator) -> None:
    issues = validator.validate(read_xml((CORPUS / name).read_bytes(), definitions))
    assert [issue.expression for issue in issues] == XML_WRONG.get(name, [])


PAIRS: dict[str, tuple[str, ...]] = {
    # What the suite's two files of one name do not have in common.
    "codesystem-example": ("text", "description"),
    "observation-example": ("extension",),
    "patient-example": (),
    "questionnaire-example": (),
}


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_xml_and_json_of_one_resource_read_equal(name: str, definitions: Definitions) -> None:
    from_xml = read_xml((CORPUS / f"{name}.xml").read_bytes(), definitions)
    from_json = read_json((CORPUS / f"examples/{name}.json").read_bytes())
    assert same_json(_comparable(from_xml, PAIRS[name]), _comparable(from_json, PAIRS[name]))
    for member in PAIRS[name]:
        assert not same_json(from_xml.get(member), from_json.get(member))


def _comparable(resource: dict[str, Any], apart: tuple[str, ...]) -> dict[str, Any]:
    """Without the members that differ; characters of the narrative may be written as they are or as references."""
    kept = {key: value for key, value in resource.items() if key not in apart}
    if "text" in kept:
        kept["text"] = {**kept["text"], "div": canonicalize(kept["text"]["div"])}
    return kept
