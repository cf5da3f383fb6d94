"""String parameters.   https://hl7.org/fhir/R4/search.html#string"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.search.fold import fold
from server.search.types import Unreadable, string
from server.search.types.written import escape

NAME = {
    "use": "official",
    "text": "นายสมชาย ใจดี",
    "family": "ใจดี",
    "given": ["สมชาย"],
    "prefix": ["นาย"],
    "period": {"start": "2020"},
}
ADDRESS = {
    "use": "home",
    "type": "both",
    "line": ["99/1 หมู่ 5"],
    "district": "ในเมือง",
    "city": "เมืองขอนแก่น",
    "state": "ขอนแก่น",
    "postalCode": "40000",
    "country": "TH",
}


def matches(value: Any, written: str, modifier: str = "", fhir_type: str = "string", *, words: bool = False) -> bool:
    operand = string.parse(written)
    return any(string.matches(each, modifier, operand) for each in string.values(value, fhir_type, words=words))


@pytest.mark.parametrize(
    ("modifier", "written", "found"),
    [
        ("", "eve", ["Eve", "Evelyn"]),
        ("contains", "eve", ["Eve", "Evelyn", "Severine"]),
        ("exact", "Eve", ["Eve"]),
        ("exact", "eve", []),
        ("", "EVÉ", ["Eve", "Evelyn"]),
    ],
)
def test_the_examples_of_the_specification(modifier: str, written: str, found: list[str]) -> None:
    assert [name for name in ("Eve", "Evelyn", "Severine") if matches(name, written, modifier)] == found


@pytest.mark.parametrize("written", ["สมชาย", "ใจดี", "นายสม", "สมชาย ใจดี", "ใจ", "นาย"])
def test_a_name_is_found_by_each_part_and_as_a_whole(written: str) -> None:
    assert matches(NAME, written, fhir_type="HumanName")


@pytest.mark.parametrize("written", ["official", "2020", "ชาย", "ดี"])
def test_a_name_is_not_found_by_its_use_its_period_or_the_middle_of_a_word(written: str) -> None:
    assert not matches(NAME, written, fhir_type="HumanName")


def test_contains_finds_thai_anywhere_for_there_are_no_spaces() -> None:
    assert matches(NAME, "ชาย", "contains", "HumanName")


def test_the_words_of_a_family_name_are_found_one_by_one() -> None:
    family = {"family": "Carreno Quinones", "given": ["Juan"]}
    for written in ("Carreno", "Quinones", "carreno quinones", "juan carreno"):
        assert matches(family, written, fhir_type="HumanName")
        assert written.startswith("juan") or matches("Carreno Quinones", written, words=True)
    assert matches("Smith-Jones", "jones", words=True)
    assert not matches("Carreno Quinones", "Quinones")


@pytest.mark.parametrize(("node", "fhir_type"), [("Smith-Jones", "string"), ({"family": "Smith-Jones"}, "HumanName")])
def test_a_word_of_a_family_name_is_not_exactly_the_name_nor_sorts_it(node: Any, fhir_type: str) -> None:
    assert matches(node, "Smith-Jones", "exact", fhir_type, words=True)
    assert not matches(node, "Smith", "exact", fhir_type, words=True)
    found = string.values(node, fhir_type, words=True)
    assert {string.sort_key(each) for each in found} == {"smith jones"}


@pytest.mark.parametrize("written", ["99/1", "ในเมือง", "เมืองขอนแก่น", "ขอนแก่น", "40000", "th", "99/1 หมู่ 5 ในเมือง"])
def test_an_address_is_found_by_each_part_and_as_a_whole(written: str) -> None:
    assert matches(ADDRESS, written, fhir_type="Address")


def test_an_address_is_not_found_by_its_use() -> None:
    assert not matches(ADDRESS, "home", fhir_type="Address")
    assert not matches(ADDRESS, "both", fhir_type="Address")


def test_thai_spelt_with_other_code_points_is_found() -> None:
    assert matches("น\u0e4d\u0e49\u0e32ฝน", "น\u0e49\u0e33ฝน")
    assert matches("\u0e40\u0e40ก้ว", "\u0e41ก้ว")


def test_exact_minds_code_points() -> None:
    assert not matches("น\u0e4d\u0e32", "น\u0e33", "exact")


def test_modifiers_of_filter() -> None:
    assert matches("Eve", "EVE", "equal")
    assert not matches("Evelyn", "Eve", "equal")
    assert matches("Evelyn", "LYN", "ends")
    assert not matches("Evelyn", "Eve", "ends")


@pytest.mark.parametrize("written", ["", " ", "...", "-", "\u200b"])
def test_without_letters_or_digits_there_is_nothing_to_search_for(written: str) -> None:
    with pytest.raises(Unreadable):
        string.parse(written)


def test_values_without_text_are_none() -> None:
    assert string.values("", "string") == string.values("...", "string") == string.values({}, "HumanName") == []
    assert string.values({"given": [None], "text": 5}, "HumanName") == []


@given(st.text(min_size=1, max_size=20))
def test_a_string_is_found_by_itself(text: str) -> None:
    if fold(text):
        for modifier in ("", "exact", "contains", "equal", "ends"):
            assert matches(text, escape(text), modifier)
    else:
        assert string.values(text, "string") == []


def test_names_sort_in_thai_dictionary_order() -> None:
    names = ["แดง", "ดำ", "เดช", "กานดา"]
    keys = {name: string.sort_key(string.values(name, "string")[0]) for name in names}
    assert sorted(names, key=keys.__getitem__) == ["กานดา", "ดำ", "เดช", "แดง"]
