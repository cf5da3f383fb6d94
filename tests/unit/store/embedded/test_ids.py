"""Ids as index keys."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.store.embedded.ids import first_key_from, id_key, id_text

uuids = st.uuids().map(str)
letters = st.text("0f9a-.Zg", max_size=40)


@given(st.one_of(uuids, letters.filter(bool)))
def test_an_id_is_what_its_key_says(id: str) -> None:
    assert id_text(id_key(id)) == id


def test_only_canonical_uuids_are_shortened() -> None:
    canonical = "0191f2a4-7c6d-7e8f-9a0b-1c2d3e4f5a6b"
    assert id_key(canonical) == uuid.UUID(canonical).bytes
    for other in (canonical.upper(), canonical.replace("-", ""), canonical + "0", canonical[:-1] + "g"):
        assert id_key(other) == other


@given(text=st.one_of(letters, uuids, uuids.map(lambda text: text[:9]), uuids.map(lambda text: text + "x")), id=uuids)
def test_the_first_key_from_a_text_parts_the_ids_before_and_behind_it(text: str, id: str) -> None:
    first = first_key_from(text)
    key = uuid.UUID(id).bytes
    assert (id >= text) == (first is not None and key >= first)


@pytest.mark.parametrize(("text", "first"), [("", "0" * 32), ("f" * 8 + ".", None), ("g", None), ("A", "a" + "0" * 31)])
def test_bounds_by_hand(text: str, first: str | None) -> None:
    assert first_key_from(text) == (None if first is None else bytes.fromhex(first))
