"""Heads of answers, and what is compressed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.wire.compression import accepts_gzip, compressible
from server.wire.reply import date_header, header_lines


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: x=1", "a\nb", "a\rb", "ก"])
def test_no_value_breaks_out_of_its_line(value: str) -> None:
    with pytest.raises(ValueError, match="header value"):
        header_lines({"Location": value, "ETag": 'W/"1"'})


@given(st.dictionaries(st.text("abc", min_size=1), st.text()))
def test_what_is_let_through_is_one_line_each(headers: dict[str, str]) -> None:
    try:
        text = header_lines(headers)
    except ValueError:
        return
    assert len(re.findall(r"[\r\n]+", text)) == len(headers)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", False),
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0", False),
        ("identity", False),
        ("gzipped", False),
        ("gzip;q=0.001", True),
        ("*;q=0, gzip", True),
        ("gzip;q=0, *", False),
    ],
)
def test_gzip_is_used_when_it_is_asked_for(header: str, expected: bool) -> None:
    assert accepts_gzip(header) is expected


def test_texts_are_compressed_and_images_are_not() -> None:
    assert compressible("application/fhir+json;charset=utf-8")
    assert compressible("text/html;charset=utf-8")
    assert compressible("image/svg+xml")
    assert not compressible("image/png")
    assert not compressible("application/zip")


def test_the_date_is_an_imf_fixdate() -> None:
    assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", date_header())
