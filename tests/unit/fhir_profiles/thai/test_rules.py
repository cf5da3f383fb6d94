"""The Thai rules: what they refuse, in both languages, and that Python and FHIRPath decide the same."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_profiles.definitions import Constraint, Definitions
from fhir_profiles.fhirpath.environment import Environment
from fhir_profiles.issue import Issue
from fhir_profiles.thai import add_to, profile_url
from fhir_profiles.thai.citizen_id import check_digit
from fhir_profiles.thai.differential import EXTENSIONS
from fhir_profiles.thai.rules import RULES, native
from fhir_profiles.thai.systems import CID, HCODE, HOUSE, LOCAL, VILLAGE, VILLAGE_OLDER
from fhir_profiles.validation import Validator
from fhir_profiles.validation.invariants import predicate
from terminology.service import TerminologyService
from tests.unit.fhir_profiles.thai.test_profiles import EXAMPLES, changed

DEFINITIONS = add_to(Definitions())
VALIDATOR = Validator(DEFINITIONS, TerminologyService())
AREA = EXTENSIONS + "ex-address-address-code"
LOCATIONS = "https://terms.sil-th.org/core/CodeSystem/cs-dopa-location"


def check(resource: dict[str, Any], profile: str, advice: bool = False) -> list[Issue]:
    return [
        each
        for each in VALIDATOR.validate(resource, profiles=[profile_url(profile)], advice=advice)
        if "(th-" in each.diagnostics
    ]


def identified(system: str, value: str, kind: str = "Organization") -> list[Issue]:
    resource = {"resourceType": kind, "name": "x", "identifier": [{"system": system, "value": value}]}
    if kind == "Patient":
        del resource["name"]
    return check(resource, f"th-{kind.lower()}")


@pytest.mark.parametrize(
    ("system", "good", "bad", "rule"),
    [
        (CID, ("9990000000014", "1101700230708"), ("9990000000015", "999000000001", "9990000000๐14", ""), "th-cid"),
        (HCODE, ("99999", "AA0000015", "000000015"), ("9999", "999999", "aa0000015", "AA00000155"), "th-hcode"),
        (HOUSE, ("12345678901",), ("1234567890", "1234567890A"), "th-house"),
        (VILLAGE, ("12010201",), ("1201021", "120102011", "1201020A"), "th-village"),
        (VILLAGE_OLDER, ("12010201",), ("1201021",), "th-village"),
    ],
)
def test_numbers_have_the_shape_of_their_system(system: str, good: tuple[str], bad: tuple[str], rule: str) -> None:
    for value in good:
        assert identified(system, value) == []
    for value in filter(None, bad):
        (issue,) = identified(system, value)
        assert (issue.severity, issue.code, issue.expression) == (
            "error",
            "invariant",
            "Organization.identifier[0].value",
        )
        assert f"({rule})" in issue.diagnostics
        assert issue.details_th == RULES[rule].thai
        assert value not in issue.diagnostics


def test_a_facility_names_itself_in_the_systems_of_its_numbers() -> None:
    for system in ("5/99999/HN", "9/AA0000015/HN"):
        assert identified(LOCAL + system, "1", "Patient") == []
    for system in ("5/9999/HN", "9/99999/HN", "5/AA0000015/HN", "HN", "5/99999/"):
        (issue,) = identified(LOCAL + system, "1", "Patient")
        assert issue.expression == "Patient.identifier[0].system"
        assert "(th-local)" in issue.diagnostics


@pytest.mark.parametrize("date", ["2566-01-02", "2566-01", "2566", "2400-12-31", "2700-01-01"])
def test_a_buddhist_year_is_refused_where_it_stands(date: str) -> None:
    patient = changed(EXAMPLES["th-patient"]["good"], {"birthDate": date})
    (issue,) = check(patient, "th-patient")
    assert issue.expression == "Patient.birthDate"
    assert "(th-era)" in issue.diagnostics
    assert "543" in (issue.details_th or "")


@pytest.mark.parametrize("date", ["2026-01-02", "1943", "2399-12-31", "2701-01-01"])
def test_other_years_are_none_of_the_buddhist_era(date: str) -> None:
    assert check(changed(EXAMPLES["th-patient"]["good"], {"birthDate": date}), "th-patient") == []


def test_buddhist_years_are_found_below_and_in_extensions_but_not_in_numbers_and_texts() -> None:
    patient = copy.deepcopy(EXAMPLES["th-patient"]["good"])
    patient["identifier"][1]["value"] = "2566"
    patient["name"][0]["text"] = "2566-01-02"
    patient["text"] = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">2566-01-02</div>'}
    assert check(patient, "th-patient") == []
    patient["identifier"][1]["period"] = {"start": "2566-01-02"}
    patient["_birthDate"] = {
        "extension": [
            {"url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime", "valueDateTime": "2513-01-02"}
        ]
    }
    patient["contained"] = [{"resourceType": "Practitioner", "id": "p", "birthDate": "2513-01-02"}]
    patient["generalPractitioner"] = [{"reference": "#p"}]
    assert {each.expression for each in check(patient, "th-patient")} == {
        "Patient.identifier[1].period.start",
        "Patient.birthDate.extension[0].value",
        "Patient.contained[0].birthDate",
    }


def address(*codes: tuple[str, str]) -> dict[str, Any]:
    parts = [
        {"url": level, "valueCodeableConcept": {"coding": [{"system": LOCATIONS, "code": code}]}}
        for level, code in codes
    ]
    return {"resourceType": "Patient", "address": [{"extension": [{"url": AREA, "extension": parts}], "city": "x"}]}


@pytest.mark.parametrize(
    ("codes", "holds"),
    [
        ((("province", "12"), ("district", "1201"), ("subdistrict", "120102")), True),
        ((("province", "12"),), True),
        ((("province", "12"), ("subdistrict", "120102")), True),
        ((("province", "1"),), False),
        ((("province", "12"), ("district", "01")), False),
        ((("province", "12"), ("district", "1301")), False),
        ((("district", "1201"), ("subdistrict", "120202")), False),
        ((("province", "๑๒"),), False),
    ],
)
def test_area_codes_have_their_length_and_lie_within_each_other(codes: Any, holds: bool) -> None:
    issues = [each for each in VALIDATOR.validate(address(*codes)) if "(th-area)" in each.diagnostics]
    assert [each.expression for each in issues] == ([] if holds else ["Patient.address[0].extension[0]"])


def pressure(systolic: float, diastolic: float) -> dict[str, Any]:
    component = [
        {
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "valueQuantity": {
                "value": value,
                "unit": "mmHg",
                "system": "http://unitsofmeasure.org",
                "code": "mm[Hg]",
            },
        }
        for code, value in (("8480-6", systolic), ("8462-4", diastolic))
    ]
    panel = changed(EXAMPLES["th-observation-vital-signs"]["good"], {"valueQuantity": None})
    panel["code"]["coding"][0]["code"] = "85354-9"
    return {**panel, "component": component}


def test_swapped_pressures_are_a_warning() -> None:
    assert check(pressure(120, 80), "th-observation-vital-signs", advice=True) == []
    assert check(pressure(80, 120), "th-observation-vital-signs") == []
    (issue,) = check(pressure(80, 120), "th-observation-vital-signs", advice=True)
    assert issue.severity == "warning"
    assert issue.details_th == RULES["th-bp"].thai


def test_every_rule_speaks_thai_and_can_be_read_by_any_validator() -> None:
    for key, rule in RULES.items():
        assert any("ก" <= letter <= "๛" for letter in rule.thai), key
        start = {"th-era": "Patient", "th-bp": "Observation", "th-alcohol": "Observation"}
        start |= {"th-area": "Extension", "th-row": "Extension"}
        predicate(
            Constraint(key, rule.severity, rule.english, rule.expression), DEFINITIONS, start.get(key, "Identifier")
        )


def test_a_rule_of_another_with_the_same_key_is_not_ours() -> None:
    assert native("th-cid", RULES["th-cid"].expression) is not None
    assert native("th-cid", "value.length() = 13") is None
    assert native("pat-1", "name.exists()") is None


# --- Python and FHIRPath ----------------------------------------------------------------------------------------------


def agrees(key: str, value: dict[str, Any], start: str) -> None:
    rule = RULES[key]
    assert rule.native is not None
    holds = predicate(Constraint(key, rule.severity, rule.english, rule.expression), DEFINITIONS, start)
    assert holds(value, Environment(resource=value, root=value)) == (not rule.native(value, DEFINITIONS)), (key, value)


_digits = st.text("0123456789", min_size=12, max_size=12)
_values = st.one_of(
    _digits.map(lambda body: body + check_digit(body)),
    st.text("0123456789A๑", min_size=1, max_size=14),
    st.from_regex(r"[0-9]{5}|[0-9A-Z]{9}|[0-9]{8}|[0-9]{11}|[0-9]{13}", fullmatch=True),
)
_systems = st.one_of(
    st.sampled_from([CID, HCODE, HOUSE, VILLAGE, VILLAGE_OLDER, "https://x.example/id"]),
    st.from_regex(r"https://terms\.sil-th\.org/hcode/[59]/([0-9]{4,6}|[0-9A-Z]{9})/(HN|PID|VN)?", fullmatch=True),
)


@given(_systems, _values)
def test_python_and_fhirpath_agree_on_identifiers(system: str, value: str) -> None:
    for key, rule in RULES.items():
        if rule.native is not None and key not in ("th-era", "th-area", "th-row"):
            agrees(key, {"system": system, "value": value}, "Identifier")


@given(st.sampled_from(["2566-01-02", "2026", "2399", "2400", "2700", "2701-01", "1970-01-01"]))
def test_python_and_fhirpath_agree_on_dates(date: str) -> None:
    agrees("th-era", {"resourceType": "Patient", "birthDate": date}, "Patient")
    agrees("th-era", {"resourceType": "Patient", "name": [{"text": date, "period": {"start": date}}]}, "Patient")


@given(
    st.dictionaries(
        st.sampled_from(["province", "district", "subdistrict"]), st.sampled_from(["1", "12", "1201", "1301", "120102"])
    )
)
def test_python_and_fhirpath_agree_on_areas(codes: dict[str, str]) -> None:
    extension = address(*codes.items())["address"][0]["extension"][0]
    agrees("th-area", extension, "Extension")


_parts = st.fixed_dictionaries(
    {"url": st.sampled_from(["file", "HSUB", "D_UPDATE", "hsub", "2X", "A b"])},
    optional={"valueCode": st.just("SERVICE"), "valueString": st.just("1")},
)


@given(st.lists(_parts, max_size=4))
def test_python_and_fhirpath_agree_on_rows(parts: list[dict[str, str]]) -> None:
    agrees("th-row", {"url": "x", "extension": [part for part in parts if len(part) == 2]}, "Extension")
