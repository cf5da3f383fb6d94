"""Sealed cursors."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import BadRequest
from server.search.cursor import Cursors, new_key
from server.search.engine import Search

KEY = bytes(32)
CURSORS = Cursors([KEY], "epoch-1")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_what_is_sealed_opens_again(payload: Any) -> None:
    assert CURSORS.open(CURSORS.seal(payload, "som"), "som") == payload


def test_nothing_of_it_can_be_read() -> None:
    text = CURSORS.seal([["name", "Somchai"]], "som")
    assert "omcha" not in text
    assert CURSORS.seal([1], "som") != CURSORS.seal([1], "som")


def test_it_is_bound_to_who_made_it() -> None:
    with pytest.raises(BadRequest):
        CURSORS.open(CURSORS.seal([1], "som"), "malee")


def test_it_does_not_outlive_a_restore() -> None:
    text = CURSORS.seal([1], "som")
    with pytest.raises(BadRequest):
        Cursors([KEY], "epoch-2").open(text, "som")


@given(st.data())
def test_a_changed_cursor_does_not_open(data: Any) -> None:
    text = Cursors([KEY], "epoch-1", nonce=lambda: bytes(12)).seal([["code", "1"], 5], "som")
    at = data.draw(st.integers(0, len(text) - 2))
    other = data.draw(st.sampled_from([letter for letter in "Aab5_-" if letter != text[at]]))
    with pytest.raises(BadRequest):
        CURSORS.open(text[:at] + other + text[at + 1 :], "som")


@given(st.text(max_size=50) | st.text(alphabet="abcAB01-_", max_size=80))
def test_any_other_text_is_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequest):
        CURSORS.open(text, "som")


def test_keys_rotate() -> None:
    old, new = new_key(), new_key()
    before, after = Cursors([old], "e"), Cursors([new, old], "e")
    text = before.seal([1], "som")
    assert after.open(text, "som") == [1]
    with pytest.raises(BadRequest):
        before.open(after.seal([1], "som"), "som")
    after.use([new], "e")
    with pytest.raises(BadRequest):
        after.open(text, "som")


def test_a_page_of_a_search_is_the_same_search_further_on(search: Search) -> None:
    pairs = [("name", "สม"), ("_sort", "-birthdate"), ("_count", "7"), ("_lastUpdated", "ap2025")]
    request = search.compile("Patient", pairs, base="http://x/fhir")
    page = search.resume(search.cursor(request, "som", after=(5, "a")), "som", base="http://x/fhir")
    assert page.query == request.query.page(after=(5, "a"))
    assert (page.used, page.resource_type, page.compiled_at) == (request.used, "Patient", request.compiled_at)
    last = search.resume(search.cursor(page, "som", before=()), "som")
    assert last.query.before == ()
    assert last.query.after is None


def test_a_page_stays_in_its_compartment(search: Search) -> None:
    request = search.compile(None, [("_type", "Condition")], compartment=("Patient", "1"))
    page = search.resume(search.cursor(request, "som"), "som")
    assert page.query == request.query


def test_a_lenient_search_goes_on_without_what_was_dropped(search: Search) -> None:
    request = search.compile("Patient", [("nonsense", "1"), ("gender", "male")], lenient=True)
    assert search.resume(search.cursor(request, "som"), "som").query == request.query


def test_a_cursor_of_something_else_is_no_page_of_a_search(search: Search) -> None:
    with pytest.raises(BadRequest):
        search.resume(search.cursors.seal(["Patient", 1], "som"), "som")
