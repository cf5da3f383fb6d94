"""Cards that were read, as JSON lines."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from mappers.id_card import reads
from mappers.identity import CARD

CID = "9998046561008"
READ = {
    "cid": CID,
    "name_thai": "นาง#สมมุติ##ตัวอย่าง",
    "name_english": "Mrs.#Sommut##Tuayang",
    "birth": "25230315",
    "sex": "2",
    "address": "99/1#หมู่ที่ 3####ตำบลศิลาดาน#อำเภอมโนรมย์#จังหวัดชัยนาท",
    "issued": "25650101",
    "expires": "25740314",
    "photo": b64encode(b"\xff\xd8jpeg").decode(),
    "read_at": "2026-11-24T02:15:00Z",
}


def read(*lines: dict[str, Any] | str, hcode: str = "99999") -> list[reads.ReadRow]:
    texts = [each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in lines]
    return list(reads.read_rows(hcode, ["\n".join(texts).encode()]))


def rules(**changes: Any) -> list[tuple[str, str, str]]:
    [row] = read({name: value for name, value in (READ | changes).items() if value is not None})
    return [(each.field, each.rule, each.value) for each in row.problems]


def test_a_line_is_a_row_of_the_facility_that_read_the_card() -> None:
    [row] = read(READ)
    assert row.problems == []
    assert (row.values["HOSPCODE"], row.values["CID"], row.values["D_UPDATE"]) == ("99999", CID, "20261124091500")


@pytest.mark.parametrize(
    "moment", ["2026-11-24T09:15:00+07:00", "2026-11-24T09:15:00", "20261124091500", "2026-11-24 09:15:00"]
)
def test_the_moment_is_thai_time_unless_it_says_otherwise(moment: str) -> None:
    [row] = read(READ | {"read_at": moment})
    assert (row.problems, row.values["D_UPDATE"]) == ([], "20261124091500")


def test_a_row_is_the_line_again() -> None:
    [row] = read(READ)
    [again] = read(reads.line_of(row.values))
    assert again.values == row.values


def test_a_row_is_a_registration_of_the_kind_card() -> None:
    [row] = read(READ)
    registration = reads.registration_of(row.values | {"HOLDER": "h"})
    assert (registration.kind, registration.source, registration.photo) == (CARD, "99999/CARD h", b"\xff\xd8jpeg")
    assert registration.person["BIRTH"] == "19800315"
    assert registration.addresses[0]["CHANGWAT"] == "18"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cid": CID[:-1] + "1"}, ("CID", "cid", "9999999999999")),
        ({"cid": None}, ("CID", "required", "")),
        ({"read_at": None}, ("D_UPDATE", "required", "")),
        ({"read_at": "yesterday"}, ("D_UPDATE", "date", "yesterday")),
        ({"read_at": "2569-11-24T09:15:00"}, ("D_UPDATE", "buddhist", "25691124091500")),
        ({"birth": "19800315"}, ("BIRTH", "card-date", "99999999")),
        ({"birth": "25231315"}, ("BIRTH", "card-date", "99999999")),
        ({"death": "20260301"}, ("DEATH", "card-date", "99999999")),
        ({"death": "yes"}, ("DEATH", "card-date", "AAA")),
        ({"sex": "3"}, ("SEX", "code", "3")),
        ({"name_thai": ["a"]}, ("NAMETHAI", "json", "")),
    ],
)
def test_what_is_refused(changes: dict[str, Any], expected: tuple[str, str, str]) -> None:
    [row] = read({name: value for name, value in (READ | changes).items() if value is not None})
    assert expected in rules(**changes)
    assert row.refused
    assert json.loads(row.raw)["name_english"] == READ["name_english"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"photo": "not base64"}, ("PHOTO", "photo", "")),
        ({"photo": b64encode(b"GIF89a").decode()}, ("PHOTO", "photo", "")),
        ({"religion": "พุทธ"}, ("", "header", "religion")),
    ],
)
def test_what_is_told_and_taken(changes: dict[str, Any], expected: tuple[str, str, str]) -> None:
    [row] = read(READ | changes)
    assert rules(**changes) == [expected]
    assert not row.refused
    assert reads.registration_of(row.values | {"HOLDER": "h"}).photo in (b"", b"\xff\xd8jpeg")


@pytest.mark.parametrize(
    ("death", "deaths"),
    [
        ("25690301", ({"DDEATH": "20260301"},)),
        ("25690000", ({"DDEATH": "20260000"},)),
        ("00000000", ({"DDEATH": "00000000"},)),
        ("-", ()),
    ],
)
def test_what_the_card_office_says_of_a_death_is_kept_apart_from_the_card(
    death: str, deaths: tuple[dict[str, str], ...]
) -> None:
    card, office = read(READ, READ | {"death": death})
    assert office.problems == []
    assert reads.registration_of(office.values | {"HOLDER": "h"}).deaths == deaths
    assert reads.holder_key(office.values) != reads.holder_key(card.values)
    [again] = read(reads.line_of(office.values))
    assert again.values == office.values


def test_lines_that_are_no_json_are_refused_and_do_not_stop_the_others() -> None:
    rows = read("{", READ, "", "[1]", '{"cid": "1", "cid": "2"}')
    assert [(row.number, [each.rule for each in row.problems]) for row in rows] == [
        (1, ["json"]),
        (2, []),
        (4, ["json"]),
        (5, ["json"]),
    ]


def test_numbers_are_taken_for_texts_and_unknown_birthdays_stay_unknown() -> None:
    [row] = read(READ | {"sex": 2, "cid": int(CID), "birth": "25230000"})
    assert row.problems == []
    assert reads.registration_of(row.values | {"HOLDER": "h"}).person["BIRTH"] == "19800000"
