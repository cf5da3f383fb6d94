"""https://hl7.org/fhir/R4/json.html"""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_profiles.json_reading import (
    ReadError,
    copy_json,
    deeper_than,
    read_json,
    same_json,
    write_json,
    write_pretty_json,
)


@pytest.mark.parametrize(
    "number",
    ["1.00", "0.1", "-0.0", "1e5", "1E-20", "3.141592653589793238462643", "12345678901234567890123456", "0", "-7"],
)
def test_a_number_keeps_its_text(number: str) -> None:
    body = f'{{"value":{number}}}'.encode()
    assert write_json(read_json(body)) == body


def test_members_keep_their_order_and_thai_stays_utf8() -> None:
    body = '{"b":"สวัสดี","a":[null,true]}'.encode()
    assert write_json(read_json(body)) == body
    assert write_pretty_json(read_json(b'{"a":[1.50]}')) == b'{\n  "a": [\n    1.50\n  ]\n}'
    assert write_pretty_json(read_json(b'{"a":12345678901234567890123}')) == b'{\n  "a": 12345678901234567890123\n}'


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the text ends"),
        (b'{"a":', "the text ends"),
        (b"[]", "one JSON object"),
        (b'"Patient"', "one JSON object"),
        (b"{} x", "after the end"),
        (b'{"a":01}', "a number is written wrongly"),
        (b'{"a":NaN}', "a JSON value was expected"),
        (b'{"a":1,}', "comma"),
        (b"{'a':1}", "double quotes"),
        (b'{"a":"\xff"}', "UTF-8"),
        (b'{"a":"\x01"}', "control character"),
        (b'{"a":"\\u0000"}', "NUL"),
        (b'{"\\u0000":1}', "NUL"),
        (b'{"a":"\\ud800"}', "Not well-formed"),
        (b"[" * 100_000, "levels deep"),
        (b'{"gender":"male","gender":"male"}', 'the name "gender" appears twice'),
    ],
)
def test_malformed_json_is_refused_with_a_reason(body: bytes, says: str) -> None:
    with pytest.raises(ReadError) as error:
        read_json(body)
    assert [issue.severity for issue in error.value.issues] == ["error"]
    assert says in error.value.issues[0].diagnostics


def test_a_reason_says_where() -> None:
    with pytest.raises(ReadError, match="line 2 column 8"):
        read_json(b'{\n "a": 01}')


def test_a_reason_quotes_no_name_that_may_be_a_persons() -> None:
    with pytest.raises(ReadError) as error:
        read_json(b'{"Somchai Jaidee":1,"Somchai Jaidee":2}')
    assert "Somchai" not in str(error.value)


def test_a_byte_order_mark_is_skipped() -> None:
    assert read_json(b"\xef\xbb\xbf{}") == {}


def test_the_depth_has_a_limit() -> None:
    body = b'{"a":' * 10 + b"1" + b"}" * 10
    assert read_json(body, max_depth=10)
    with pytest.raises(ReadError, match="more than 9 levels"):
        read_json(body, max_depth=9)
    for levels in (65, 199, 201, 5000):  # beyond 200 the parser itself gives up
        with pytest.raises(ReadError, match="more than 64 levels"):
            read_json(b'{"a":' * levels + b"1" + b"}" * levels, max_depth=64)
    assert deeper_than([[]], 1)
    assert not deeper_than([], 1)


def test_a_literal_backslash_before_u0000_is_no_nul() -> None:
    assert read_json(b'{"a":"\\\\u0000"}') == {"a": "\\u0000"}


def test_what_has_no_json_form_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        write_json({"a": object()})


def test_copies_are_deep_and_equal() -> None:
    value = read_json(b'{"a":[{"b":1.00}]}')
    copy = copy_json(value)
    assert same_json(copy, value)
    copy["a"][0]["b"] = 2
    assert not same_json(copy, value)


def test_same_json_tells_precision_and_types_apart() -> None:
    one, other = read_json(b'{"a":1.0}'), read_json(b'{"a":1.00}')
    assert not same_json(one, other)
    assert not same_json({"a": 1}, {"a": True})
    assert not same_json({"a": 1}, {"a": 1, "b": 1})
    assert not same_json([1], [1, 2])
    assert same_json({"a": 1, "b": 2}, {"b": 2, "a": 1})


@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_crash_the_reader(body: bytes) -> None:
    with contextlib.suppress(ReadError):
        read_json(body)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(
    st.dictionaries(st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=8), json_values, max_size=5)
)
def test_what_is_written_is_read_again(value: dict[str, object]) -> None:
    assert same_json(read_json(write_json(value)), value)
