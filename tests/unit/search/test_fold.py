"""Folding of strings and Thai dictionary order.   https://hl7.org/fhir/R4/search.html#string"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.search.fold import fold, thai_sort_key


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Eve", "eve"),
        ("Señor MÜLLER", "senor muller"),
        ("Straße", "strasse"),
        ("O'Brien", "obrien"),
        ("Smith-Jones", "smith jones"),
        ("  a \t b\n c ", "a b c"),
        ("ร.พ.สต.", "รพสต"),
        ("ﬁne", "fine"),
        ("Ａ１", "a1"),
        ("๑๒๓", "123"),
        ("\u200bสม\u200dชาย\ufeff", "สมชาย"),
    ],
)
def test_case_accents_punctuation_and_white_space_are_forgotten(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("น\u0e33", "น\u0e4d\u0e32"),  # นำ by SARA AM, or by NIKHAHIT and SARA AA
        ("น\u0e49\u0e33", "น\u0e4d\u0e49\u0e32"),  # น้ำ with the tone mark in between
        ("น\u0e49\u0e33", "น\u0e49\u0e4d\u0e32"),
        ("น\u0e49\u0e33", "น\u0e33\u0e49"),  # and behind
        ("\u0e40\u0e40ก้ว", "\u0e41ก้ว"),  # แก้ว by two SARA E
        ("ท\u0e35\u0e48", "ท\u0e48\u0e35"),  # ที่ with the tone before the vowel
        ("ผ\u0e39\u0e49", "ผ\u0e49\u0e39"),  # ผู้
        ("ก\u0e48\u0e48า", "ก\u0e48า"),  # a mark drawn over itself
    ],
)
def test_thai_that_looks_the_same_is_the_same(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("ปา", "ป่า"), ("เสือ", "เสื้อ"), ("กรรม", "กรม"), ("นำ", "นา"), ("มัน", "มน")])
def test_tone_marks_and_vowels_tell_words_apart(one: str, other: str) -> None:
    assert fold(one) != fold(other)


WORDS = st.text(
    alphabet=st.one_of(st.characters(min_codepoint=0x0E01, max_codepoint=0x0E4E), st.characters(codec="utf-8")),
    max_size=30,
)


@given(WORDS)
def test_folding_is_idempotent(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(WORDS)
def test_folded_text_has_no_outer_or_double_spaces(text: str) -> None:
    assert "  " not in fold(text)
    assert fold(text) == fold(text).strip()


def test_names_sort_as_in_the_dictionary_of_the_royal_institute() -> None:
    # Consonants in their order; vowels before a consonant count behind it; then tone marks.
    in_order = [
        "กก", "กรรม", "กา", "ก่า", "ก้า", "กำ", "เก", "แก", "ไก่", "ขวัญ", "จันทร์", "เจริญ", "ปา", "ป่า", "ป้า",
        "ปาก", "เปรม", "มานะ", "มานี", "เมือง", "ยุพา", "วิชัย", "สมชาย", "สมศรี", "เสือ", "เสื้อ", "อนงค์", "แอน", "ฮวย",
    ]  # fmt: skip
    backwards = in_order[::-1]
    assert sorted(backwards, key=lambda name: thai_sort_key(fold(name))) == in_order


def test_digits_and_latin_come_before_thai() -> None:
    names = ["สมชาย", "Zoe", "anna", "7up", "กานดา"]
    assert sorted(names, key=lambda name: thai_sort_key(fold(name))) == ["7up", "anna", "Zoe", "กานดา", "สมชาย"]


def test_a_shorter_word_comes_before_the_longer_that_begins_with_it() -> None:
    names = ["ป่าไม้", "ป่า", "ปาน", "ปา"]
    assert sorted(names, key=lambda name: thai_sort_key(fold(name))) == ["ปา", "ป่า", "ปาน", "ป่าไม้"]


@given(WORDS, WORDS)
def test_words_of_one_key_have_the_same_letters(one: str, other: str) -> None:
    one, other = fold(one), fold(other)
    if thai_sort_key(one) == thai_sort_key(other):
        assert sorted(one) == sorted(other)
