"""https://hl7.org/fhir/R4/references.html"""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.fhir_profiles.conftest import Findings

POINTS_OUT = {"type": "seealso", "other": {"reference": "#"}}


def with_organization(reference: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "managingOrganization": reference, **members}


@pytest.mark.parametrize(
    "reference",
    [
        "Organization/1",
        "Organization/1/_history/2",
        "Organization?identifier=http://example.org|1",
        "http://example.org/fhir/Organization/1",
        "https://example.org/anything",
        "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
        "urn:oid:1.2.3",
    ],
)
def test_references_to_the_right_type_and_absolute_ones_are_let_through(found: Findings, reference: str) -> None:
    assert found(with_organization({"reference": reference})) == []


@pytest.mark.parametrize(
    ("reference", "code", "says"),
    [
        ("Patient/1", "value", "the reference is to a Patient; allowed here: Organization"),
        ("Patient?identifier=1", "value", "the reference is to a Patient"),
        ("Patient/1/_history/1", "value", "the reference is to a Patient"),
        ("Foo/1", "value", "names no FHIR R4 resource type"),
        ("1", "value", "neither Type/id nor an absolute URL"),
        ("Organization/", "value", "neither Type/id"),
        ("Organization/a_b", "value", "neither Type/id"),
        ("/Organization/1", "value", "neither Type/id"),
        ("../Organization/1", "value", "neither Type/id"),
        ("#x", "invariant", "ref-1"),
    ],
)
def test_other_references_are_refused(found: Findings, reference: str, code: str, says: str) -> None:
    [(found_code, expression, text)] = found(with_organization({"reference": reference}))
    assert (found_code, expression) == (code, "Patient.managingOrganization.reference")
    assert says in text


def test_the_type_element_must_fit_too(found: Findings) -> None:
    assert found(with_organization({"type": "Organization", "display": "x"})) == []
    [(_, expression, _)] = found(with_organization({"type": "Patient", "display": "x"}))
    assert expression == "Patient.managingOrganization.type"


def test_an_empty_reference_is_refused(found: Findings) -> None:
    assert [each[1] for each in found(with_organization({}))] == ["Patient.managingOrganization"]
    assert [each[1] for each in found(with_organization({"id": "1"}))] == ["Patient.managingOrganization"]


def test_contained_resources_are_pointed_to_by_type(found: Findings) -> None:
    hospital = {"resourceType": "Organization", "id": "o", "name": "x"}
    assert found(with_organization({"reference": "#o"}, contained=[hospital])) == []
    practitioner = {"resourceType": "Practitioner", "id": "o"}
    [(code, _, text)] = found(with_organization({"reference": "#o"}, contained=[practitioner]))
    assert code == "value"
    assert "to a Practitioner" in text


def test_a_contained_resource_may_point_to_its_container_and_its_neighbours(found: Findings) -> None:
    contained = [
        {
            "resourceType": "Observation",
            "id": "a",
            "status": "final",
            "code": {"text": "x"},
            "subject": {"reference": "#"},
        },
        {
            "resourceType": "Observation",
            "id": "b",
            "status": "final",
            "code": {"text": "x"},
            "hasMember": [{"reference": "#a"}],
            "subject": {"reference": "#"},
        },
    ]
    assert found({"resourceType": "Patient", "contained": contained}) == []


def test_a_contained_resource_nobody_refers_to_is_refused(found: Findings) -> None:
    resource = {"resourceType": "Patient", "contained": [{"resourceType": "Organization", "id": "o", "name": "x"}]}
    [(code, expression, text)] = found(resource)
    assert (code, expression) == ("invariant", "Patient")
    assert "dom-3" in text


@pytest.mark.parametrize(
    ("contained", "key"),
    [
        ({"contained": [{"resourceType": "Patient", "id": "n", "link": [POINTS_OUT]}]}, "dom-2"),
        ({"meta": {"versionId": "1"}}, "dom-4"),
        ({"meta": {"security": [{"code": "R"}]}}, "dom-5"),
    ],
)
def test_what_a_contained_resource_may_not_have(found: Findings, contained: dict[str, Any], key: str) -> None:
    inner = {"resourceType": "Organization", "id": "o", "name": "x", **contained}
    assert any(key in text for _, _, text in found(with_organization({"reference": "#o"}, contained=[inner])))


def test_each_entry_of_a_bundle_is_its_own_container(found: Findings) -> None:
    inner = with_organization({"reference": "#o"})
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520", "resource": inner}],
    }
    [(_, expression, _)] = found(bundle)
    assert expression == "Bundle.entry[0].resource.managingOrganization.reference"
    inner["contained"] = [{"resourceType": "Organization", "id": "o", "name": "x"}]
    assert found(bundle) == []
