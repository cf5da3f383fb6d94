"""Reference parameters.   https://hl7.org/fhir/R4/search.html#reference"""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.search.types import Setting, Unreadable, reference

SETTING = Setting(UTC, ("http://example.org/fhir",))


def matches(
    value: Any,
    written: str,
    modifier: str = "",
    targets: tuple[str, ...] = ("Patient", "Group"),
    type_: str = "Reference",
) -> bool:
    operand = reference.parse(written, modifier, targets, SETTING)
    return any(reference.matches(each, modifier, operand) for each in reference.values(value, type_, SETTING))


def to(text: str) -> dict[str, str]:
    return {"reference": text}


@pytest.mark.parametrize("value", ["Patient/123", "http://example.org/fhir/Patient/123", "Patient/123/_history/4"])
@pytest.mark.parametrize("written", ["Patient/123", "http://example.org/fhir/Patient/123", "123"])
def test_relative_and_absolute_references_to_this_server_are_the_same(value: str, written: str) -> None:
    assert matches(to(value), written)


@pytest.mark.parametrize(
    ("value", "written", "expected"),
    [
        ("Patient/123", "Group/123", False),
        ("Patient/123", "Patient/124", False),
        ("http://other.org/fhir/Patient/123", "Patient/123", False),
        ("http://other.org/fhir/Patient/123", "http://other.org/fhir/Patient/123", True),
        ("http://example.org/fhirx/Patient/123", "Patient/123", False),
        ("urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7", "urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7", True),
        ("Patient/123/_history/4", "Patient/123/_history/4", True),
        ("Patient/123/_history/4", "Patient/123/_history/5", False),
        ("Patient/123", "Patient/123/_history/4", False),
    ],
)
def test_literal_references(value: str, written: str, expected: bool) -> None:
    assert matches(to(value), written) is expected


def test_a_bare_id_is_of_the_only_type_that_the_parameter_refers_to() -> None:
    assert reference.parse("1", "", ("Patient",), SETTING).type == "Patient"
    assert reference.parse("1", "", ("Patient", "Group"), SETTING).type is None
    assert matches(to("Group/1"), "1")
    assert not matches(to("Group/1"), "1", targets=("Patient",))


def test_identifier_searches_the_logical_reference() -> None:
    value = {"identifier": {"system": "http://acme.org/mrn", "value": "123456"}, "display": "somebody"}
    assert matches(value, "http://acme.org/mrn|123456", "identifier")
    assert matches(value, "123456", "identifier")
    assert not matches(value, "http://acme.org/mrn|1", "identifier")
    assert matches({**value, **to("Patient/1")}, "123456", "identifier")
    assert not matches(to("Patient/123456"), "123456", "identifier")


@pytest.mark.parametrize(
    ("written", "modifier", "found"),
    [
        ("http://acme.com/p", "", ["http://acme.com/p|1.0", "http://acme.com/p|2.0", "http://acme.com/p"]),
        ("http://acme.com/p|1.0", "", ["http://acme.com/p|1.0"]),
        ("http://acme.com/p|1", "", []),
        ("http://acme.com/p|1", "below", ["http://acme.com/p|1.0"]),
        ("http://acme.com/p", "below", ["http://acme.com/p|1.0", "http://acme.com/p|2.0", "http://acme.com/p"]),
        ("http://acme.com/q", "", []),
    ],
)
def test_canonical_references_and_their_versions(written: str, modifier: str, found: list[str]) -> None:
    values = ["http://acme.com/p|1.0", "http://acme.com/p|2.0", "http://acme.com/p"]
    assert [each for each in values if matches(each, written, modifier, type_="canonical")] == found


def test_a_version_below_another_is_told_by_its_parts() -> None:
    assert not matches("http://acme.com/p|10.0", "http://acme.com/p|1", "below", type_="canonical")


def test_a_nested_resource_is_a_reference_to_itself() -> None:
    assert matches({"resourceType": "Composition", "id": "c1"}, "Composition/c1", targets=("Composition",))


@pytest.mark.parametrize(
    "value", [{}, {"display": "somebody"}, {"reference": ""}, {"reference": 5}, None, 5, {"identifier": {}}]
)
def test_what_refers_to_nothing_has_no_value(value: Any) -> None:
    assert reference.values(value, "Reference", SETTING) == []


@pytest.mark.parametrize("written", ["", "a b", "../../etc", "Patient/1?x", "http://x|1|2", "|1", "x" * 65])
def test_what_is_no_reference_is_refused(written: str) -> None:
    with pytest.raises(Unreadable):
        reference.parse(written, "", (), SETTING)


@given(st.from_regex(r"[A-Za-z0-9\-.]{1,64}", fullmatch=True), st.sampled_from(["Patient", "Group"]))
def test_a_reference_is_found_by_itself(id_: str, type_: str) -> None:
    for written in (id_, f"{type_}/{id_}", f"http://example.org/fhir/{type_}/{id_}"):
        assert matches(to(f"{type_}/{id_}"), written)


@given(st.text(max_size=30), st.sampled_from(["", "identifier", "below"]))
def test_any_text_is_read_or_refused(text: str, modifier: str) -> None:
    try:
        reference.parse(text, modifier, (), SETTING)
    except Unreadable:
        return
