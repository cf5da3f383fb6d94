"""Encounter.diagnosis: role and rank of what was found at a visit."""

from __future__ import annotations

from mappers.diagnoses import encounter_diagnoses, role
from mappers.f43.maps import MAPS


def condition(code: str, kind: str) -> dict[str, object]:
    row = {"HOSPCODE": "99999", "PID": "1", "SEQ": "1", "DIAGCODE": code, "DIAGTYPE": kind}
    return MAPS["DIAGNOSIS_OPD"].to_fhir(row)[0].resource


def test_the_principal_diagnosis_has_rank_one_whatever_the_order_of_the_file() -> None:
    found = encounter_diagnoses([("Condition/b", condition("W010", "5")), ("Condition/a", condition("S619", "1"))])
    assert [(each["condition"]["reference"], each["rank"]) for each in found] == [
        ("Condition/a", 1),
        ("Condition/b", 2),
    ]
    thai, hl7 = found[0]["use"]["coding"]
    assert (thai["code"], hl7["code"]) == ("1", "DD")
    assert [each["code"] for each in found[1]["use"]["coding"]] == ["5"]


def test_a_condition_without_role_comes_last_and_says_none() -> None:
    bare = {"resourceType": "Condition", "code": {"text": "x"}}
    assert role(bare) == ""
    assert "use" not in encounter_diagnoses([("Condition/1", bare)])[0]
