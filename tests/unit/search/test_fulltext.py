"""Expressions of `_text` and `_content`.   https://hl7.org/fhir/R4/search.html#text"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.search.fulltext import Alternatives, alternatives
from server.search.types import Unreadable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("headache", (("headache",),)),
        ("Severe Headache", (("severe", "headache"),)),
        ('"Severe Headache"', (("severe headache",),)),
        ("(bone OR liver) and metastases", (("bone", "metastases"), ("liver", "metastases"))),
        ("a or b or c", (("a",), ("b",), ("c",))),
        ("a b or c", (("a", "b"), ("c",))),
        ("ปวดหัว", (("ปวดหัว",),)),
        ("a and a", (("a",),)),
        ("(a or b) (c or d)", (("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"))),
        ('"open', (("open",),)),
        ('"and"', (("and",),)),
    ],
)
def test_words_phrases_and_or(text: str, expected: Alternatives) -> None:
    assert alternatives(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "...", "and", "or", "(a", "a)",
     "()", "(" * 20 + "a", " or ".join(map("w{}".format, range(65))), "(a or b)" * 7],
)  # fmt: skip
def test_what_says_nothing_or_too_much_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        alternatives(text)


@given(st.text(alphabet='ab() "orand', max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = alternatives(text)
    except Unreadable:
        return
    assert found
    assert all(phrases and all(phrases) for phrases in found)
