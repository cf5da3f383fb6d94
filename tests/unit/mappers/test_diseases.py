"""Codes of diagnoses as hospitals write them, and as FHIR's code systems have them."""

from __future__ import annotations

import pytest

from mappers.codes import ICD10, ICD10TM
from mappers.diseases import diagnosis, disease, plain


@pytest.mark.parametrize(
    ("written", "system", "code"),
    [
        ("I10", ICD10, "I10"),
        ("E119", ICD10, "E11.9"),
        ("E11.9", ICD10, "E11.9"),
        ("e119", ICD10, "E11.9"),
        ("i10", ICD10, "I10"),
        ("A150X", ICD10TM, "A15.0X"),
        ("S8280", ICD10TM, "S82.80"),
        ("S82.80", ICD10TM, "S82.80"),
    ],
)
def test_a_code_is_known_with_and_without_dot_and_in_either_case(written: str, system: str, code: str) -> None:
    assert disease(written) == {"coding": [{"system": system, "code": code}]}


@pytest.mark.parametrize("written", ["XYZ99", "10", "E1.19", "E11..9", "ปวดหัว", ""])
def test_what_has_not_the_form_stands_as_text(written: str) -> None:
    assert (plain(written), disease(written)) == ("", {"text": written})


@pytest.mark.parametrize("written", ["E119", "E11.9", "e119", "XYZ99"])
def test_a_column_tells_how_it_comes_back(written: str) -> None:
    lens, resource = diagnosis("code"), {"resourceType": "Condition"}
    lens.put(resource, written, {})
    assert lens.get(resource) == lens.spelt(written)
    assert lens.holds(written)
