"""$validate-code on value sets and code systems.

https://hl7.org/fhir/R4/valueset-operation-validate-code.html
https://hl7.org/fhir/R4/codesystem-operation-validate-code.html
"""

import pytest

from terminology.concept import Json
from terminology.errors import TerminologyError
from terminology.operations import validate_code_in_system, validate_code_in_value_set
from terminology.service import TerminologyService
from terminology.thai import CORE
from tests.unit.terminology.operations.reading import parameters, value

MARITAL = "http://hl7.org/fhir/ValueSet/marital-status"
V3 = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"
MOODS, MOOD = "http://terminology.hl7.org/ValueSet/v3-ActMood", "http://terminology.hl7.org/CodeSystem/v3-ActMood"


def coding(code: str, system: str = V3, **more: str) -> Json:
    return {"system": system, "code": code, **more}


@pytest.mark.parametrize(
    ("texts", "result", "display", "message"),
    [
        ({"url": MARITAL, "system": V3, "code": "M"}, True, "Married", None),
        ({"url": MARITAL, "system": V3, "code": "M", "display": "Married"}, True, "Married", None),
        ({"url": MARITAL, "system": V3, "code": "M", "display": "MARRIED "}, True, "Married", None),
        (
            {"url": MARITAL, "system": V3, "code": "M", "display": "test"},
            False,
            "Married",
            'the display "test" is incorrect',
        ),
        ({"url": MARITAL, "code": "M"}, True, "Married", None),
        ({"url": MARITAL, "system": V3, "code": "m"}, False, None, f"the code system {V3} has no code m"),
        (
            {"url": MARITAL, "system": MOOD, "code": "EVN"},
            False,
            "event (occurrence)",
            f"the code EVN of {MOOD} is not in",
        ),
        ({"url": MOODS, "system": MOOD, "code": "_ActMoodPredicate"}, False, None, "only groups other codes"),
        ({"url": MOODS, "system": MOOD, "code": "_ActMoodPredicate", "abstract": "true"}, True, None, None),
        ({"url": MARITAL, "system": V3, "code": "M", "systemVersion": "2018-08-12"}, True, "Married", None),
        (
            {"url": MARITAL, "system": V3, "code": "M", "systemVersion": "1999"},
            False,
            None,
            "the value set uses version",
        ),
        ({"url": CORE + "ValueSet/vs-thcc-marital", "code": "6"}, True, "สมณะ", None),
    ],
)
def test_a_code_in_a_value_set(
    official: TerminologyService, texts: dict[str, str], result: bool, display: str | None, message: str | None
) -> None:
    answer = validate_code_in_value_set(official, parameters(**texts))
    assert value(answer, "result") is result
    assert display is None or value(answer, "display") == display
    assert (message or "") in (value(answer, "message") or "")
    assert (message is None) == (value(answer, "message") is None)


def test_one_coding_of_a_concept_must_be_in_the_value_set(official: TerminologyService) -> None:
    concept = {"coding": [coding("EVN", MOOD), coding("M")], "text": "married"}
    asked = parameters({"name": "codeableConcept", "valueCodeableConcept": concept}, url=MARITAL)
    assert value(validate_code_in_value_set(official, asked), "result") is True
    concept = {"coding": [coding("EVN", MOOD), coding("nope")]}
    answer = validate_code_in_value_set(
        official, parameters({"name": "codeableConcept", "valueCodeableConcept": concept}, url=MARITAL)
    )
    assert value(answer, "result") is False
    assert "EVN" in value(answer, "message")
    assert "nope" in value(answer, "message")


def test_a_coding(official: TerminologyService) -> None:
    asked = parameters({"name": "coding", "valueCoding": coding("W", display="Widowed")}, url=MARITAL)
    assert value(validate_code_in_value_set(official, asked), "result") is True


def test_what_decides_and_is_not_here_is_an_error_never_a_false(official: TerminologyService) -> None:
    asked = parameters(url="http://hl7.org/fhir/ValueSet/condition-code", system="http://snomed.info/sct", code="1")
    with pytest.raises(TerminologyError, match=r"snomed.info/sct is not here"):
        validate_code_in_value_set(official, asked)


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        ({"code": "M", "system": V3}, "invalid"),
        ({"url": MARITAL}, "invalid"),
        ({"url": "http://example.org/none", "code": "M", "system": V3}, "not-found"),
        ({"url": MARITAL, "code": "M", "displya": "x"}, "invalid"),
    ],
)
def test_what_cannot_be_asked(official: TerminologyService, texts: dict[str, str], kind: str) -> None:
    with pytest.raises(TerminologyError) as error:
        validate_code_in_value_set(official, parameters(**texts))
    assert error.value.kind == kind


def test_two_forms_of_the_code_are_one_too_many(official: TerminologyService) -> None:
    rows = {"name": "coding", "valueCoding": coding("M")}
    with pytest.raises(TerminologyError, match="one of code, coding, codeableConcept"):
        validate_code_in_value_set(official, parameters(rows, url=MARITAL, code="M", system=V3))


@pytest.mark.parametrize("broken", [{"coding": []}, {}, {"coding": "x"}, {"coding": [{"system": V3}]}, "text"])
def test_a_broken_concept_is_an_error(official: TerminologyService, broken: object) -> None:
    rows = {"name": "codeableConcept", "valueCodeableConcept": broken}
    with pytest.raises(TerminologyError) as error:
        validate_code_in_value_set(official, parameters(rows, url=MARITAL))
    assert error.value.kind == "invalid"


@pytest.mark.parametrize(
    ("texts", "result", "message"),
    [
        ({"url": V3, "code": "M"}, True, None),
        ({"url": V3, "code": "M", "display": "Wedded"}, False, "is incorrect"),
        ({"url": V3, "code": "X"}, False, "has no code X"),
        ({"url": "urn:iso:std:iso:4217", "code": "THB"}, True, None),
        ({"url": "urn:iso:std:iso:4217", "code": "thb"}, False, "has no code"),
        ({"url": "http://unitsofmeasure.org", "code": "mmol/L"}, True, None),
        ({"url": MOOD, "code": "_ActMoodPredicate"}, False, "only groups"),
        ({"url": MOOD, "code": "_ActMoodPredicate", "abstract": "true"}, True, None),
    ],
)
def test_a_code_in_a_code_system(
    official: TerminologyService, texts: dict[str, str], result: bool, message: str | None
) -> None:
    answer = validate_code_in_system(official, parameters(**texts))
    assert value(answer, "result") is result
    assert (message or "") in (value(answer, "message") or "")


def test_a_coding_of_another_system_is_not_of_this_one(official: TerminologyService) -> None:
    asked = parameters({"name": "coding", "valueCoding": coding("M", MOOD)}, url=V3)
    answer = validate_code_in_system(official, asked)
    assert (value(answer, "result"), "not of" in value(answer, "message")) == (False, True)


def test_a_code_system_given_with_the_question(official: TerminologyService) -> None:
    resource = {
        "resourceType": "CodeSystem",
        "url": "http://example.org/x",
        "caseSensitive": False,
        "concept": [{"code": "Ab"}],
    }
    for code, result in (("aB", True), ("b", False)):
        asked = parameters({"name": "codeSystem", "resource": resource}, code=code)
        assert value(validate_code_in_system(official, asked), "result") is result


def test_a_fragment_proves_nothing_about_other_codes(official: TerminologyService) -> None:
    resource = {
        "resourceType": "CodeSystem",
        "url": "http://example.org/x",
        "content": "fragment",
        "concept": [{"code": "a"}],
    }
    with pytest.raises(TerminologyError, match="only a part"):
        validate_code_in_system(official, parameters({"name": "codeSystem", "resource": resource}, code="b"))


def test_an_unknown_code_system_is_not_found(official: TerminologyService) -> None:
    with pytest.raises(TerminologyError) as error:
        validate_code_in_system(official, parameters(url="http://example.org/none", code="a"))
    assert error.value.kind == "not-found"
