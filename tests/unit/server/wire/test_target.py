"""https://www.rfc-editor.org/rfc/rfc3986#section-2 , and what a path below the FHIR base may look like."""

from __future__ import annotations

import contextlib
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import BadRequest
from server.wire.target import origin_form, parameters, segments

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", ()),
        ("/", ()),
        ("Patient", ("Patient",)),
        ("Patient/", ("Patient",)),
        ("Patient/1/_history/2", ("Patient", "1", "_history", "2")),
        ("Patient/%31", ("Patient", "1")),
        ("Patient/%E0%B8%81", ("Patient", "ก")),
        ("Patient/ก", ("Patient", "ก")),
        ("%24validate", ("$validate",)),
    ],
)
def test_a_path_gives_decoded_segments(path: str, expected: tuple[str, ...]) -> None:
    assert segments(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        "Patient//1",
        "//",
        "Patient/..",
        "Patient/../Observation",
        "Patient/%2e%2e/x",
        "Patient/.",
        "Patient/a%2Fb",
        "Patient/..%2f..%2fetc%2fpasswd",
        "Patient/a%5Cb",
        "Patient/a\\b",
        "Patient/%",
        "Patient/%4",
        "Patient/%zz",
        "Patient/%00",
        "Patient/%ff",
        "Patient/%c0%ae",
        "Patient/\udcff",
        "Patient/1#x",
    ],
)
def test_a_path_that_could_mean_another_is_refused(path: str) -> None:
    with pytest.raises(BadRequest):
        segments(path)


def test_parameters_keep_their_order_and_repetitions() -> None:
    assert parameters("name=a&_sort=-x&name=b&&flag", 10) == [
        ("name", "a"),
        ("_sort", "-x"),
        ("name", "b"),
        ("flag", ""),
    ]


def test_plus_is_a_space_and_escapes_are_utf8() -> None:
    assert parameters("name=a+b%2B&c=%E0%B8%81", 10) == [("name", "a b+"), ("c", "ก")]
    assert parameters("name=สมชาย", 10) == [("name", "สมชาย")]


def test_more_parameters_than_allowed_are_refused() -> None:
    assert len(parameters("a=1&" * 10, 11)) == 10
    with pytest.raises(BadRequest, match="More than 10"):
        parameters("&".join(["a=1"] * 11), 10)


@pytest.mark.parametrize("query", ["a=%", "a=%G0", "a=%ff", "a=%00", "%ff=1", "a=\udcff"])
def test_a_query_that_is_not_utf8_is_refused_without_quoting_it(query: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parameters(query, 10)
    assert query not in str(refused.value)


@given(st.lists(st.tuples(TEXT.filter(bool), TEXT), max_size=8))
def test_what_a_client_encodes_is_what_is_read(pairs: list[tuple[str, str]]) -> None:
    assert parameters(urlencode(pairs), 100) == pairs


@given(st.text())
def test_no_path_or_query_crashes(text: str) -> None:
    for read in (segments, lambda t: parameters(t, 20), origin_form):
        with contextlib.suppress(BadRequest):
            read(text)  # type: ignore[operator]


@given(TEXT.filter(lambda t: t not in ("", ".", "..") and not set(t) & set("/\\#")))
def test_a_segment_survives_its_escaping(segment: str) -> None:
    assert segments("Patient/" + quote(segment, safe="")) == ("Patient", segment)


def test_the_absolute_form_of_proxies_is_cut() -> None:
    assert origin_form("http://example.org/fhir/Patient?x=1") == ("/fhir/Patient", "x=1")
    assert origin_form("/fhir?x=1?y") == ("/fhir", "x=1?y")
    for target in ("example.org:443", "*", "ftp://x/y", ""):
        with pytest.raises(BadRequest):
            origin_form(target)
