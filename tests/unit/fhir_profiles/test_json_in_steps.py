"""A large Bundle in pieces is the same Bundle."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_profiles.issue import Issue
from fhir_profiles.json_in_steps import read_in_steps
from fhir_profiles.json_reading import ReadError, read_json, write_json


def in_steps(data: bytes, piece: int, max_depth: int = 200) -> tuple[dict[str, Any], int]:
    """The value, and how often it gave way."""
    steps = read_in_steps(data, max_depth=max_depth, piece=piece)
    given_way = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value, given_way
        given_way += 1


def said(data: bytes, max_depth: int = 200) -> bytes | tuple[Issue, ...]:
    try:
        return write_json(read_json(data, max_depth=max_depth))
    except ReadError as error:
        return error.issues


def said_in_steps(data: bytes, piece: int, max_depth: int = 200) -> bytes | tuple[Issue, ...]:
    try:
        return write_json(in_steps(data, piece, max_depth)[0])
    except ReadError as error:
        return error.issues


TEXTS = st.sampled_from(["", "}", "},{", '"entry":[{"resource":', '},{"resource":', "\\", "ก", "\n"])
VALUES = st.recursive(
    TEXTS | st.integers(-9, 9) | st.just(1.5) | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["resource", "entry", "request", "x"]), inner, max_size=3)
        | st.builds(lambda items: {"entry": [{"resource": item} for item in items]}, st.lists(inner, max_size=3))
    ),
    max_leaves=12,
)


@settings(max_examples=400)
@given(
    st.lists(st.builds(lambda value: {"resource": value}, VALUES), max_size=8),
    st.dictionaries(st.sampled_from(["before", "meta", "x"]), VALUES, max_size=2),
    st.dictionaries(st.sampled_from(["after", "link"]), VALUES, max_size=2),
    st.sampled_from([None, 0, 1]),
    st.integers(20, 90),
    st.sampled_from([4, 6, 200]),
)
def test_the_pieces_are_the_whole(
    entries: list[Any], before: dict[str, Any], after: dict[str, Any], indent: int | None, piece: int, max_depth: int
) -> None:
    data = json.dumps({**before, "entry": entries, **after}, indent=indent, ensure_ascii=False).encode()
    assert said_in_steps(data, piece, max_depth) == said(data, max_depth)


@given(st.integers(0, 400), st.sampled_from([b"", b"{", b"}", b",", b'"', b"]", b"x"]), st.integers(20, 90))
def test_what_is_wrong_is_said_as_of_the_whole(place: int, put: bytes, piece: int) -> None:
    data = b'{"resourceType":"Bundle","entry":[' + b",\n".join([b'{"resource":{"a":[{"b":1.0}]}}'] * 12) + b"]}"
    data = data[:place] + put + data[place + 1 :]
    assert said_in_steps(data, piece) == said(data)


@pytest.mark.parametrize(
    "entry",
    [
        b'{"fullUrl":"urn:x","resource":{"resourceType":"Patient"}}',
        b'{"resource":{"resourceType":"Bundle","entry":[{"resource":{"id":"1"}},{"resource":{"id":"2"}}]}}',
    ],
)
def test_it_gives_way_after_every_piece(entry: bytes) -> None:
    data = b'{"resourceType":"Bundle","entry":[' + b" , ".join([entry] * 500) + b'],"type":"batch"}'
    value, given_way = in_steps(data, 2000)
    assert given_way >= len(data) // 5000
    assert (len(value["entry"]), value["type"]) == (500, "batch")


def test_a_piece_does_not_go_on_behind_the_entries() -> None:
    data = b'{"entry":[{"resource":1}],"link":[{"x":2},{"resource":3}],"type":"batch"}'
    assert in_steps(data, 20)[0] == read_json(data)


def test_entries_of_something_within_are_not_taken_for_those_of_the_bundle() -> None:
    within = b'{"x":{"entry":[' + b",".join([b'{"resource":{}}'] * 50) + b']},"entry":[{"resource":{"id":"own"}}]}'
    assert in_steps(within, 20)[0] == read_json(within)
