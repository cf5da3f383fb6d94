"""When two registrations are one citizen, and what their shared Patient says."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given
from hypothesis import strategies as st

from fhir_profiles.definitions import Definitions
from fhir_profiles.json_reading import write_json
from fhir_profiles.validation import Validator
from mappers.citizen_id import check_digit, is_valid
from mappers.identity import (
    CARD,
    Registration,
    Rules,
    contradicting_births,
    meet,
    order,
    plausible,
    shared_patient,
)
from mappers.population.f43 import f43_rows
from terminology.service import TerminologyService

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
RULES = Rules()
VALIDATOR = Validator(Definitions(), TerminologyService())
CID = "999000000001" + check_digit("999000000001")
OTHER_CID = "999000000002" + check_digit("999000000002")


def registration(hcode: str = "99999", kind: str = "file", **columns: str) -> Registration:
    row = {
        "HOSPCODE": hcode, "PID": "1", "CID": CID, "NAME": "สมชาย", "LNAME": "ใจดี", "PRENAME": "003", "SEX": "1",
        "BIRTH": "19800315", "TYPEAREA": "1", "NATION": "099", "D_UPDATE": "20260101090000",
    }  # fmt: skip
    return Registration({name: text for name, text in {**row, **columns}.items() if text}, kind)


def patient(*registrations: Registration) -> dict[str, Any]:
    resource = shared_patient(registrations, NOW, RULES)
    assert VALIDATOR.validate(resource) == []
    get_fhir_model_class("Patient").model_validate_json(write_json(resource))
    return resource


# --- meeting


def test_two_facilities_that_agree_on_citizen_id_birth_and_sex_speak_of_one_person() -> None:
    assert meet(registration(), registration("99998", PID="77", HN="5"), RULES).same


@pytest.mark.parametrize(
    ("one", "other", "reasons", "review"),
    [
        ({}, {"CID": OTHER_CID}, ("different-cid",), False),
        ({}, {"CID": ""}, ("no-cid",), False),
        ({"CID": "1234567890123"}, {"CID": "1234567890123"}, ("check-digit",), False),
        ({"CID": "1111111111119"}, {"CID": "1111111111119"}, ("dummy",), False),
        ({"CID": "0000000000000"}, {"CID": "0000000000000"}, ("dummy",), False),
        ({}, {"BIRTH": "19800316"}, ("birth-date",), True),
        ({}, {"SEX": "2"}, ("sex",), True),
        ({}, {"SEX": "2", "BIRTH": "1979"}, ("sex",), True),
        ({}, {"SEX": "2", "BIRTH": "19790315"}, ("birth-date", "sex"), True),
    ],
)
def test_registrations_stay_apart_with_their_reasons(one: dict, other: dict, reasons: tuple, review: bool) -> None:
    found = meet(registration(**one), registration("99998", **other), RULES)
    assert not found.same
    assert found.reasons == reasons
    assert found.review is review


def test_a_number_that_a_facility_made_up_meets_nobody() -> None:
    made_up = "099999000001"
    own = registration(CID=made_up + check_digit(made_up))
    assert meet(own, registration(CID=own.person["CID"], PID="2"), RULES).reasons == ("facility-issued",)
    assert meet(own, registration(CID=own.person["CID"], PID="2"), Rules(facility_prefixes=())).same


def test_dummies_are_a_setting() -> None:
    assert meet(registration(), registration("99998"), Rules(dummies=frozenset({CID}))).reasons == ("dummy",)


@pytest.mark.parametrize(
    ("one", "other", "contradict"),
    [
        ("19800315", "19800315", False),
        ("19800315", "19800101", False),  # 1 January: the year alone is known
        ("19800315", "19800000", False),
        ("19800315", "19800300", False),
        ("19800315", "19800400", True),
        ("19800315", "19810101", True),
        ("19800315", "19800316", True),
        ("19800315", "", False),
    ],
)
def test_births_are_compared_to_the_precision_of_the_less_precise(one: str, other: str, contradict: bool) -> None:
    assert contradicting_births(one, other) is contradict
    assert contradicting_births(other, one) is contradict


# --- which row counts


@pytest.mark.parametrize(
    ("incoming", "stored", "expected"),
    [
        ("20260101090000", None, "new"),
        ("20260101090000", "20260101090000", "same"),
        ("20260102090000", "20260101090000", "newer"),
        ("20251231090000", "20260101090000", "older"),
        ("20270101090000", "20260101090000", "implausible"),
        ("25690101090000", "20260101090000", "implausible"),
        ("20260101090000", "25690101090000", "newer"),
        ("", "20260101090000", "implausible"),
    ],
)
def test_of_two_rows_of_one_facility_the_newer_plausible_one_counts(
    incoming: str, stored: str | None, expected: str
) -> None:
    new = registration(D_UPDATE=incoming).person
    old = registration(D_UPDATE=stored).person if stored is not None else None
    assert order(new, old, NOW, RULES) == expected


def test_a_changed_row_with_the_same_moment_is_newer() -> None:
    assert order(registration(NAME="สมชาติ").person, registration().person, NOW, RULES) == "newer"


def test_a_clock_may_be_a_day_ahead() -> None:
    assert plausible({"D_UPDATE": "20261125070000"}, NOW, RULES)
    assert not plausible({"D_UPDATE": "20261126090000"}, NOW, RULES)


# --- the shared Patient


def test_the_newest_plausible_registration_names_the_person_and_every_facility_keeps_its_numbers() -> None:
    resource = patient(
        registration(NAME="เก่า", D_UPDATE="20250101000000", HN="A1"),
        registration("99998", NAME="ใหม่", PID="9", D_UPDATE="20260601000000", HN="B2"),
        registration("99997", NAME="อนาคต", D_UPDATE="20991231000000"),
    )
    assert resource["name"][0]["given"] == ["ใหม่"]
    values = {(each["system"].rsplit("/", 2)[-2], each["value"]) for each in resource["identifier"]}
    assert {("id", CID), ("99999", "A1"), ("99998", "B2"), ("99998", "9"), ("99997", "1")} <= values


def test_a_card_that_was_read_goes_before_the_newest_file() -> None:
    resource = patient(
        registration(NAME="แฟ้ม", D_UPDATE="20261101000000"),
        registration("99998", kind=CARD, NAME="บัตร", D_UPDATE="20200101000000"),
    )
    assert resource["name"][0]["given"] == ["บัตร"]


def test_what_the_first_does_not_say_the_next_may() -> None:
    resource = patient(
        registration(D_UPDATE="20260601000000", MSTATUS="", MOBILE=""),
        registration("99998", MSTATUS="2", MOBILE="0990000001", D_UPDATE="20250101000000"),
    )
    assert resource["maritalStatus"]["coding"][1]["code"] == "M"
    assert resource["telecom"] == [{"system": "phone", "value": "0990000001", "use": "mobile"}]


def test_an_unknown_day_of_birth_stays_unknown_until_somebody_knows_it() -> None:
    assert patient(registration(BIRTH="19550000"))["birthDate"] == "1955"
    assert patient(registration(BIRTH="19550400"))["birthDate"] == "1955-04"
    known = registration("99998", BIRTH="19550412", D_UPDATE="20200101000000")
    assert patient(registration(BIRTH="19550000"), known)["birthDate"] == "1955-04-12"


def test_only_a_death_row_or_the_card_office_makes_a_person_dead() -> None:
    assert "deceasedDateTime" not in patient(registration(DISCHARGE="1", DDISCHARGE="20260101"))
    alive = registration("99998")
    dead = Registration(registration().person, deaths=({"DDEATH": "20260301"},))
    assert patient(alive, dead)["deceasedDateTime"] == "2026-03-01"
    office = Registration(registration("99997").person, CARD, deaths=({"DDEATH": "20260228"},))
    assert patient(alive, office)["deceasedDateTime"] == "2026-02-28"


@pytest.mark.parametrize(
    ("office", "row", "expected"),
    [
        ("20260228", "20260301", {"deceasedDateTime": "2026-02-28"}),
        ("20260000", "20260301", {"deceasedDateTime": "2026-03-01"}),
        ("20260200", "20260301", {"deceasedDateTime": "2026-02"}),
        ("00000000", "20260301", {"deceasedDateTime": "2026-03-01"}),
        ("00000000", "", {"deceasedBoolean": True}),
    ],
)
def test_the_card_office_is_believed_before_a_newer_death_row_as_far_as_it_knows_the_day(
    office: str, row: str, expected: dict[str, Any]
) -> None:
    told = Registration(registration("99998", D_UPDATE="20200101000000").person, CARD, deaths=({"DDEATH": office},))
    written = Registration(registration().person, deaths=({"DDEATH": row},) if row else ())
    found = patient(written, told)
    assert {name: value for name, value in found.items() if name.startswith("deceased")} == expected


def test_the_present_address_comes_before_the_registered_one() -> None:
    place = {"HOUSENO": "1", "VILLAGE": "03", "TAMBON": "03", "AMPUR": "02", "CHANGWAT": "18"}
    both = Registration(
        registration().person,
        addresses=({**place, "ADDRESSTYPE": "1"}, {**place, "ADDRESSTYPE": "2", "HOUSENO": "7/2"}),
    )
    present, registered = patient(both)["address"]
    assert (present["type"], registered["type"]) == ("physical", "postal")
    assert (present["city"], present["district"], present["state"]) == ("ศิลาดาน", "มโนรมย์", "ชัยนาท")
    assert present["line"] == ["เลขที่ 7/2 หมู่ 3"]


def test_a_wrong_citizen_id_is_no_identifier() -> None:
    systems = [each["system"] for each in patient(registration(CID="1234567890123"))["identifier"]]
    assert not any(system.endswith("th-cid") for system in systems)


@given(st.permutations(range(4)))
def test_the_order_of_arrival_changes_nothing(arrival: list[int]) -> None:
    four = [
        registration(MSTATUS="1"),
        registration("99998", NAME="ก", D_UPDATE="20260101090000"),
        registration("99997", RELIGION="01", D_UPDATE="20990101090000"),
        registration("99996", kind=CARD, D_UPDATE="20260505000000"),
    ]
    assert shared_patient([four[i] for i in arrival], NOW, RULES) == shared_patient(four, NOW, RULES)


def test_a_meeting_is_undone_by_computing_without_it() -> None:
    one, other = registration(), registration("99998", PID="8", NAME="อื่น", D_UPDATE="20260701000000")
    assert patient(one, other) != patient(one)
    assert patient(one) == shared_patient([one], NOW, RULES)


def test_the_synthetic_population_makes_valid_patients() -> None:
    rows: dict[str, dict[str, list[dict[str, str]]]] = {}
    for file, row in itertools.islice(f43_rows(60, seed=8), 6000):
        if "PID" in row:
            rows.setdefault(row["PID"], {}).setdefault(file, []).append(row)
    for files in rows.values():
        if "PERSON" in files:
            resource = patient(
                Registration(
                    files["PERSON"][0],
                    addresses=tuple(files.get("ADDRESS", ())),
                    deaths=tuple(files.get("DEATH", ())),
                    disabilities=tuple(files.get("DISABILITY", ())),
                )
            )
            assert resource["birthDate"]


def test_check_digits() -> None:
    assert is_valid(CID)
    assert not is_valid(CID[:12] + str((int(CID[12]) + 1) % 10))
    assert not is_valid("๙" + CID[1:])
    assert not is_valid(CID + "1")
