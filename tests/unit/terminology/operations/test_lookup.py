"""CodeSystem/$lookup and $subsumes.

https://hl7.org/fhir/R4/codesystem-operation-lookup.html https://hl7.org/fhir/R4/codesystem-operation-subsumes.html
"""

from typing import Any

import pytest

from terminology.errors import TerminologyError
from terminology.operations import lookup, subsumes
from terminology.service import TerminologyService
from terminology.thai import CORE
from tests.unit.terminology.operations.reading import parameters, parts, value

ACT_CLASS = "http://terminology.hl7.org/CodeSystem/v3-ActClass"


@pytest.fixture
def loinc(service: TerminologyService) -> TerminologyService:
    """The concept of the specification's example, with the properties that it shows."""
    name = {
        "language": "th",
        "use": {"system": "http://snomed.info/sct", "code": "900000000000013009"},
        "value": "ไบคาร์บอเนต",
    }
    service.add(
        {
            "resourceType": "CodeSystem",
            "url": "http://loinc.org",
            "version": "2.48",
            "name": "LOINC",
            "content": "fragment",
            "property": [{"code": "COMPONENT", "type": "string"}],
            "concept": [
                {
                    "code": "LP1",
                    "display": "Bicarbonate",
                    "concept": [
                        {
                            "code": "1963-8",
                            "display": "Bicarbonate [Moles/volume] in Serum",
                            "definition": "Amount of bicarbonate",
                            "designation": [name],
                            "property": [{"code": "COMPONENT", "valueString": "Bicarbonate"}],
                        }
                    ],
                }
            ],
        }
    )
    return service


def properties(answer: dict[str, Any]) -> dict[str, Any]:
    return {item["code"]: item["value"] for item in parts(answer, "property")}


def test_the_example_of_the_specification(loinc: TerminologyService) -> None:
    answer = lookup(loinc, parameters(system="http://loinc.org", code="1963-8"))
    assert value(answer, "name") == "LOINC"
    assert value(answer, "version") == "2.48"
    assert value(answer, "display") == "Bicarbonate [Moles/volume] in Serum"
    assert value(answer, "abstract") is False
    (designation,) = parts(answer, "designation")
    assert (designation["language"], designation["value"]) == ("th", "ไบคาร์บอเนต")
    assert properties(answer) == {
        "definition": "Amount of bicarbonate",
        "inactive": False,
        "COMPONENT": "Bicarbonate",
        "parent": "LP1",
    }
    assert {"code": "parent", "value": "LP1", "description": "Bicarbonate"} in parts(answer, "property")


def test_a_coding_is_another_way_to_ask(loinc: TerminologyService) -> None:
    coding = {"system": "http://loinc.org", "code": "1963-8", "version": "2.48"}
    answer = lookup(loinc, parameters({"name": "coding", "valueCoding": coding}))
    assert value(answer, "display") == "Bicarbonate [Moles/volume] in Serum"


def test_only_the_properties_asked_for(loinc: TerminologyService) -> None:
    rows = [{"name": "property", "valueCode": code} for code in ("COMPONENT", "display")]
    answer = lookup(loinc, parameters(*rows, system="http://loinc.org", code="1963-8"))
    assert properties(answer) == {"COMPONENT": "Bicarbonate"}
    assert parts(answer, "designation") == []


def test_designations_of_one_language(loinc: TerminologyService) -> None:
    for code, count in (("designation", 1), ("lang.th", 1), ("lang.fr", 0)):
        asked = {"name": "property", "valueCode": code}
        answer = lookup(loinc, parameters(asked, system="http://loinc.org", code="1963-8"))
        assert len(parts(answer, "designation")) == count


def test_the_display_in_thai(loinc: TerminologyService) -> None:
    answer = lookup(loinc, parameters(system="http://loinc.org", code="1963-8", displayLanguage="th"))
    assert value(answer, "display") == "ไบคาร์บอเนต"


def test_children_are_listed(loinc: TerminologyService) -> None:
    answer = lookup(loinc, parameters(system="http://loinc.org", code="LP1"))
    assert properties(answer)["child"] == "1963-8"


def test_a_thai_code_by_its_older_url(official: TerminologyService) -> None:
    answer = lookup(official, parameters(system="https://terms.sil-th.org/CodeSystem/cs-dopa-location", code="100101"))
    assert value(answer, "display") == "พระบรมมหาราชวัง"
    assert properties(answer)["parent"] == "1001"


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        ({"system": ACT_CLASS, "code": "NOPE"}, "not-found"),
        ({"system": "http://example.org/none", "code": "x"}, "not-found"),
        ({"system": ACT_CLASS, "code": "ACT", "version": "1999"}, "not-found"),
        ({"code": "ACT"}, "invalid"),
        ({"system": ACT_CLASS}, "invalid"),
        ({"system": ACT_CLASS, "code": "ACT", "colour": "red"}, "invalid"),
    ],
)
def test_what_cannot_be_looked_up(official: TerminologyService, texts: dict[str, str], kind: str) -> None:
    with pytest.raises(TerminologyError) as error:
        lookup(official, parameters(**texts))
    assert error.value.kind == kind


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ("ACT", "ACT", "equivalent"),
        ("ACT", "OBS", "subsumes"),
        ("OBS", "ACT", "subsumed-by"),
        ("OBS", "ENC", "not-subsumed"),
    ],
)
def test_subsumes(official: TerminologyService, first: str, second: str, outcome: str) -> None:
    asked = parameters(system=ACT_CLASS, codeA=first, codeB=second)
    assert subsumes(official, asked) == {
        "resourceType": "Parameters",
        "parameter": [{"name": "outcome", "valueCode": outcome}],
    }


def test_subsumes_with_codings(official: TerminologyService) -> None:
    """The form of the specification's example; both generations of a Thai URL are one system."""
    older, core = ("https://terms.sil-th.org/CodeSystem/cs-dopa-location", CORE + "CodeSystem/cs-dopa-location")
    rows = [
        {"name": "codingA", "valueCoding": {"system": older, "code": "100101"}},
        {"name": "codingB", "valueCoding": {"system": core, "code": "10"}},
    ]
    assert value(subsumes(official, parameters(*rows)), "outcome") == "subsumed-by"


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        ({"system": ACT_CLASS, "codeA": "ACT"}, "invalid"),
        ({"codeA": "ACT", "codeB": "OBS"}, "invalid"),
        ({"system": ACT_CLASS, "codeA": "ACT", "codeB": "NOPE"}, "not-found"),
        ({"system": "http://example.org/none", "codeA": "a", "codeB": "b"}, "not-found"),
    ],
)
def test_what_cannot_be_compared(official: TerminologyService, texts: dict[str, str], kind: str) -> None:
    with pytest.raises(TerminologyError) as error:
        subsumes(official, parameters(**texts))
    assert error.value.kind == kind


def test_codes_of_different_systems_cannot_be_compared(official: TerminologyService) -> None:
    rows = [
        {"name": "codingA", "valueCoding": {"system": ACT_CLASS, "code": "ACT"}},
        {"name": "codingB", "valueCoding": {"system": "http://hl7.org/fhir/administrative-gender", "code": "male"}},
    ]
    with pytest.raises(TerminologyError, match="same code system"):
        subsumes(official, parameters(*rows))
