"""Systems defined by a grammar or by a list of a standard: exactly what is accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminology.implied import MAKERS, implied

CODES = {
    "urn:ietf:bcp:13": (
        ["application/json", "text/plain; charset=utf-8", "image/svg+xml", "application/fhir+xml", "json", "TEXT/HTML"],
        ["", "json5", "application", "application/", "foo/bar", "text/plain;", "*/*", "text/ plain"],
    ),
    "urn:ietf:bcp:47": (
        ["th", "th-TH", "en", "zh-Hant-TW", "de-CH-1901", "x-private", "i-klingon", "en-GB-oed", "EN-us"],
        ["", "t", "th_TH", "en-", "123", "en-toolongsubtag"],
    ),
    "urn:ietf:rfc:3986": (
        ["urn:oid:1.2.3", "http://example.org/a?b#c", "urn:uuid:0"],
        ["", "no-scheme", "http://a b", "1a:x"],
    ),
    "urn:iso:std:iso:3166": (["TH", "THA", "764", "AX"], ["", "th", "XX", "T", "999"]),
    "urn:iso:std:iso:3166:-2": (["TH-10", "GB-ENG", "US-CA"], ["", "TH", "XX-10", "TH-1000", "TH-"]),
    "urn:iso:std:iso:4217": (["THB", "USD", "XXX", "HRK"], ["", "thb", "ABC"]),
    "http://unitsofmeasure.org": (["mg/dL", "mm[Hg]", "10*3/uL", "{tablet}", "1"], ["", "mmHg", "tablet", "kg m"]),
}


def test_every_system_has_cases() -> None:
    assert set(CODES) == set(MAKERS)


@pytest.mark.parametrize("url", CODES)
def test_codes(url: str) -> None:
    system = implied(url)
    assert system is not None
    right, wrong = CODES[url]
    assert [code for code in right if system.find(code) is None] == []
    assert [code for code in wrong if system.find(code) is not None] == []


@pytest.mark.parametrize("url", CODES)
@given(code=st.text(max_size=40))
def test_any_text_is_answered(url: str, code: str) -> None:
    system = implied(url)
    assert system is not None
    concept = system.find(code)
    assert concept is None or concept.code == code or not system.case_sensitive


def test_the_lists_are_complete() -> None:
    countries, currencies = implied("urn:iso:std:iso:3166"), implied("urn:iso:std:iso:4217")
    assert countries is not None
    assert currencies is not None
    assert (countries.count(), currencies.count()) == (3 * 249, 184)
