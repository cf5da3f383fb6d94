"""The citizen's card as a registration and as a Patient."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_profiles.definitions import Definitions
from fhir_profiles.validation import Validator
from mappers.citizen_id import check_digit
from mappers.id_card import Card, registration
from mappers.id_card.card import ad, prefix_code
from mappers.identity import Rules, meet, shared_patient
from terminology.service import TerminologyService

READ = datetime(2026, 11, 24, 3, 30, tzinfo=UTC)
CID = "999000000077" + check_digit("999000000077")
CARD = Card(
    cid=CID,
    name_thai="นางสาว#มาลี#กลาง#ใจดี",
    name_english="Miss#Mali#Klang#Chaidi",
    birth="25330412",
    sex="2",
    address="99/1#หมู่ที่ ๓#ตรอกเล็ก#ซอยใหญ่#ถนนสุข#ตำบลศิลาดาน#อำเภอมโนรมย์#จังหวัดชัยนาท",
    issued="25650101",
    expires="25740411",
    photo=b"\xff\xd8jpeg",
)


def test_a_card_makes_a_patient() -> None:
    resource = shared_patient([registration(CARD, "99999", READ)], READ, Rules())
    assert Validator(Definitions(), TerminologyService()).validate(resource) == []
    thai, english = resource["name"]
    assert (thai["prefix"], thai["given"], thai["family"]) == (["น.ส."], ["มาลี กลาง"], "ใจดี")
    assert (english["given"], english["family"]) == (["Mali Klang"], "Chaidi")
    assert (resource["gender"], resource["birthDate"]) == ("female", "1990-04-12")
    (cid,) = resource["identifier"]
    assert (cid["value"], cid["period"]) == (CID, {"start": "2022-01-01", "end": "2031-04-11"})
    address = resource["address"][0]
    assert (address["city"], address["district"], address["state"]) == ("ศิลาดาน", "มโนรมย์", "ชัยนาท")
    assert address["line"] == ["เลขที่ 99/1 หมู่ 3 ซอยเล็ก ใหญ่ ถนนสุข"]
    assert resource["photo"][0]["contentType"] == "image/jpeg"


def test_the_moment_of_reading_is_thai_time() -> None:
    assert registration(CARD, "99999", READ).person["D_UPDATE"] == "20261124103000"


def test_a_card_meets_the_registration_of_its_citizen() -> None:
    one = registration(CARD, "99999", READ)
    assert meet(one, registration(replace(CARD, birth="25330000"), "99998", READ), Rules()).same
    assert not meet(one, registration(replace(CARD, sex="1"), "99998", READ), Rules()).same


@pytest.mark.parametrize(
    ("thai", "expected"),
    [
        ("25330412", "19900412"),
        ("25330000", "19900000"),
        ("๒๕๓๓๐๔๑๒", "19900412"),
        ("99999999", ""),
        ("", ""),
        ("19900412", ""),
    ],
)
def test_years_of_the_card_are_buddhist(thai: str, expected: str) -> None:
    assert ad(thai) == expected


def test_a_birth_of_which_only_the_year_is_known() -> None:
    resource = shared_patient([registration(replace(CARD, birth="24980000"), "99999", READ)], READ, Rules())
    assert resource["birthDate"] == "1955"


@pytest.mark.parametrize(
    ("prefix", "code"), [("นาย", "003"), ("นางสาว", "004"), ("น.ส.", "004"), ("เด็กชาย", "001"), ("?", "")]
)
def test_prefixes_in_full_and_in_short(prefix: str, code: str) -> None:
    assert prefix_code(prefix) == code


def test_an_unknown_subdistrict_leaves_the_codes_that_are_known() -> None:
    there = registration(replace(CARD, address="1#######จังหวัดชัยนาท"), "99999", READ).addresses[0]
    assert there["CHANGWAT"] == "18"
    assert "AMPUR" not in there


@given(st.text(max_size=40), st.text(max_size=60), st.text(max_size=8))
def test_no_text_on_a_card_breaks_it(name: str, address: str, birth: str) -> None:
    made = registration(replace(CARD, name_thai=name, address=address, birth=birth), "99999", READ)
    assert shared_patient([made], READ, Rules())["resourceType"] == "Patient"
