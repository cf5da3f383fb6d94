"""Uri parameters.   https://hl7.org/fhir/R4/search.html#uri"""

from __future__ import annotations

import pytest

from server.search.types import Unreadable, uri


def matches(value: str, written: str, modifier: str = "", fhir_type: str = "uri") -> bool:
    operand = uri.parse(written, modifier)
    return any(uri.matches(each, modifier, operand) for each in uri.values(value, fhir_type))


URL = "http://acme.org/fhir/ValueSet/123"


@pytest.mark.parametrize(
    ("value", "written", "modifier", "expected"),
    [
        (URL, URL, "", True),
        (URL, URL.upper(), "", False),
        (URL, "http://acme.org/fhir/", "", False),
        (URL, "http://acme.org/fhir/", "below", True),
        (URL, URL, "below", True),
        ("http://acme.org/other", "http://acme.org/fhir/", "below", False),
        (URL, f"{URL}/_history/5", "above", True),
        ("http://acme.org/", f"{URL}/_history/5", "above", True),
        ("http://acme.org/fhir/ValueSet/12", f"{URL}/_history/5", "above", False),
        ("urn:oid:1.2.3.4.5", "urn:oid:1.2.3.4.5", "", True),
        ("urn:oid:1.2.3.4.5", "urn:oid:1.2.3.4", "", False),
    ],
)
def test_the_examples_of_the_specification(value: str, written: str, modifier: str, expected: bool) -> None:
    assert matches(value, written, modifier) is expected


@pytest.mark.parametrize("modifier", ["above", "below"])
def test_a_urn_has_no_hierarchy(modifier: str) -> None:
    with pytest.raises(Unreadable):
        uri.parse("urn:oid:1.2", modifier)


def test_a_canonical_is_found_with_and_without_its_version() -> None:
    for written in ("http://x/p|1.0", "http://x/p"):
        assert matches("http://x/p|1.0", written.replace("|", r"\|"), fhir_type="canonical")
    assert not matches("http://x/p|1.0", r"http://x/p\|2.0", fhir_type="canonical")


def test_an_empty_uri_is_refused() -> None:
    with pytest.raises(Unreadable):
        uri.parse("", "")
