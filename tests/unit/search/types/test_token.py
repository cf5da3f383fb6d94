"""Token parameters.   https://hl7.org/fhir/R4/search.html#token"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.search.types import Unreadable, token
from server.search.types.written import escape
from server.search.values import Token

CONCEPT = {
    "coding": [
        {"system": "http://loinc.org", "code": "2345-7", "display": "Glucose [Mass/volume] in Serum"},
        {"code": "GLU"},
        {"system": "http://example.org/local"},
    ],
    "text": "น้ำตาลในเลือด",
}
IDENTIFIER = {
    "system": "http://acme.org/patient",
    "value": "2345",
    "type": {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}],
        "text": "Medical record",
    },
}


def matches(
    value: Any, written: str, fhir_type: str = "CodeableConcept", modifier: str = "", system: str | None = None
) -> bool:
    operand = token.parse(written, modifier, fhir_type)
    return any(token.matches(each, modifier, operand) for each in token.values(value, fhir_type, system))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2345-7", True),
        ("http://loinc.org|2345-7", True),
        ("http://snomed.info/sct|2345-7", False),
        ("http://loinc.org|", True),
        ("http://snomed.info/sct|", False),
        ("http://example.org/local|", True),
        ("GLU", True),
        ("|GLU", True),
        ("|2345-7", False),
        ("http://loinc.org|GLU", False),
        ("glu", False),
        ("2345", False),
    ],
)
def test_system_and_code_of_any_coding(written: str, expected: bool) -> None:
    assert matches(CONCEPT, written) is expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("http://acme.org/patient|2345", True),
        ("2345", True),
        ("|2345", False),
        ("http://acme.org/patient|", True),
        ("http://acme.org/patient|234", False),
        ("MR", False),
    ],
)
def test_system_and_value_of_an_identifier(written: str, expected: bool) -> None:
    assert matches(IDENTIFIER, written, "Identifier") is expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("http://terminology.hl7.org/CodeSystem/v2-0203|MR|2345", True),
        ("http://terminology.hl7.org/CodeSystem/v2-0203|MR|2346", False),
        ("http://terminology.hl7.org/CodeSystem/v2-0203|SS|2345", False),
        ("http://acme.org/patient|MR|2345", False),
    ],
)
def test_of_type(written: str, expected: bool) -> None:
    assert matches(IDENTIFIER, written, "Identifier", "of-type") is expected


@pytest.mark.parametrize("written", ["MR|2345", "|MR|2345", "a|MR|", "2345", "a|b|c|d"])
def test_of_type_needs_all_three_parts(written: str) -> None:
    with pytest.raises(Unreadable):
        token.parse(written, "of-type")


@pytest.mark.parametrize("written", ["glucose", "GLUCOSE [mass", "น้ำตาล", "ในเลือด", "serum"])
def test_text_is_searched_in_displays_and_text(written: str) -> None:
    assert matches(CONCEPT, written, modifier="text")


def test_text_of_an_identifier_is_that_of_its_type() -> None:
    assert matches(IDENTIFIER, "medical", "Identifier", "text")
    assert not matches(IDENTIFIER, "2345", "Identifier", "text")


def test_booleans_are_true_and_false() -> None:
    assert matches(True, "true", "boolean")
    assert not matches(True, "false", "boolean")
    assert matches(False, "http://hl7.org/fhir/special-values|false", "boolean")


def test_a_code_has_the_system_that_its_binding_implies() -> None:
    gender = "http://hl7.org/fhir/administrative-gender"
    assert matches("male", "male", "code", system=gender)
    assert matches("male", f"{gender}|male", "code", system=gender)
    assert not matches("male", "http://other|male", "code", system=gender)


def test_strings_and_mail_addresses_are_compared_without_case() -> None:
    assert matches("Chromosome-X", "chromosome-x", "string")
    assert matches({"system": "email", "value": "Som@Example.org"}, "som@example.ORG", "ContactPoint")
    assert not matches("Male", "male", "code")


@pytest.mark.parametrize("written", ["0812345678", "081-234-5678", "(081) 234 5678", "081.234.5678"])
def test_telephone_numbers_are_compared_by_their_digits(written: str) -> None:
    assert matches({"system": "phone", "value": "081-234-5678"}, written, "ContactPoint")


def test_a_plus_belongs_to_a_telephone_number() -> None:
    assert not matches({"system": "phone", "value": "+66812345678"}, "66812345678", "ContactPoint")


@pytest.mark.parametrize("written", ["", "|", "a|b|c", "\\"])
def test_what_is_no_token_is_refused(written: str) -> None:
    with pytest.raises(Unreadable):
        token.parse(written, "")


def test_escaped_separators_belong_to_the_code() -> None:
    assert token.parse(r"http://x|a\|b", "") == ("http://x", "a|b", False)
    assert token.parse(r"a\,b\$c\\d", "") == (None, r"a,b$c\d", True)


def test_elements_without_a_code_have_no_value() -> None:
    for value in ({}, {"coding": [{}]}, {"coding": [None, "x"]}, {"extension": []}):
        assert token.values(value, "CodeableConcept") == []
    assert token.values("", "code") == token.values(None, "code") == []


TEXTS = st.text(min_size=1, max_size=20)


@given(TEXTS, TEXTS)
def test_a_coding_is_found_by_itself(system: str, code: str) -> None:
    value = {"system": system, "code": code}
    for written in (f"{escape(system)}|{escape(code)}", escape(code), f"{escape(system)}|"):
        assert matches(value, written, "Coding")
    assert not matches(value, f"|{escape(code)}", "Coding")


@given(st.text(max_size=30), st.sampled_from(["", "text", "of-type"]))
def test_any_text_is_read_or_refused(text: str, modifier: str) -> None:
    try:
        token.parse(text, modifier)
    except Unreadable:
        return


def test_the_sort_key_is_the_code_or_the_text() -> None:
    assert token.sort_key(Token("s", "c", "t")) == "c"
    assert token.sort_key(Token("s", None, "t")) == "t"
